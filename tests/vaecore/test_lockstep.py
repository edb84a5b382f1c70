"""Trainings side by side give the bits that each gives alone, and the end of one does not end another."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests.vaecore import small
from vaecore.families import names
from vaecore.lockstep import advance
from vaecore.training import Diverged, Training, train


def start(name: str, **changed: object) -> Training:
    return small.start(name, **({"network": "conv", "learning_rate": 1e-3} | changed))


Rows = list[tuple[int, dict[str, float]]]


def together(trainings: list[Training]) -> tuple[list[Rows], dict[int, Exception]]:
    rows: list[Rows] = [[] for _ in trainings]
    ended: dict[int, Exception] = {}
    while live := [
        i for i, each in enumerate(trainings) if i not in ended and each.step < each.settings.steps
    ]:
        for i, outcome in zip(live, advance([trainings[i] for i in live]), strict=True):
            if isinstance(outcome, Exception):
                ended[i] = outcome
            else:
                rows[i].append(outcome)
    return rows, ended


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_together_and_alone_are_equal_bit_for_bit(precision):
    makers: list[Callable[[], Training]] = [
        *(lambda name=name: start(name, precision=precision) for name in names()),
        lambda: start("vae", seed=1, precision=precision),
        lambda: start("vae", steps=17, record_every=4, precision=precision),
    ]
    trainings = [make() for make in makers]
    rows, ended = together(trainings)
    assert not ended
    for make, training, seen in zip(makers, trainings, rows, strict=True):
        alone = make()
        assert list(train(alone)) == seen
        torch.testing.assert_close(alone.family.state_dict(), training.family.state_dict(), rtol=0, atol=0)
        assert alone.generator.get_state().equal(training.generator.get_state())


def test_a_diverging_training_does_not_change_the_others():
    def others() -> list[Training]:
        return [start("vae"), start("beta_vae", seed=3)]

    reckless = start("vae", seed=2, network={"name": "mlp", "hidden": [8]}, learning_rate=1e12)
    first, last = others()
    rows, ended = together([first, reckless, last])
    assert set(ended) == {1}
    assert isinstance(ended[1], Diverged)
    assert rows[1] == []
    for alone, seen in zip(others(), (rows[0], rows[2]), strict=True):
        assert list(train(alone)) == seen


def test_any_failure_is_the_outcome_of_its_own_training(monkeypatch):
    good, bad = start("vae"), start("vae", seed=1)

    def broken() -> None:
        raise RuntimeError("no more memory")

    monkeypatch.setattr(bad, "advance", broken)
    row, error = advance([good, bad])
    assert row == next(train(start("vae")))
    assert isinstance(error, RuntimeError)
    assert str(error) == "no more memory"


def test_a_finished_training_has_no_next_row():
    done = start("vae", steps=0)
    (outcome,) = advance([done])
    assert isinstance(outcome, ValueError)
    assert "all of its 0 steps" in str(outcome)

"""The loop's rows, its bit-exact resumption, and how it stops."""

from __future__ import annotations

import io
import math
import pickle
import re
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from tests.vaecore import small
from tests.vaecore.small import SHAPE, L, N, images
from vaecore.batch import Batch, Sampler
from vaecore.families import Family, family_class, names
from vaecore.options import Option
from vaecore.training import Diverged, Settings, Training, train

IMAGES = images()
MOVING = {"schedule": "linear", "from": 0, "to": 4, "steps": 10}


def start(name: str, **changed: Any) -> Training:
    hyper = {key: MOVING for key, each in family_class(name).options.items() if each.scheduled}
    learned = {"likelihood": {"name": "gaussian", "sigma": "learned"}, "hyper": hyper}
    return small.start(name, **(learned | {"learning_rate": MOVING | {"to": 1e-3}} | changed))


def saved(training: Training) -> dict[str, Any]:
    """The state as it comes back from a file."""
    file = io.BytesIO()
    torch.save(training.state_dict(), file)
    return torch.load(io.BytesIO(file.getvalue()), weights_only=True)


def assert_same_state(one: Training, other: Training) -> None:
    a, b = one.state_dict(), other.state_dict()
    assert a["optimizer"].pop("param_groups") == b["optimizer"].pop("param_groups")
    torch.testing.assert_close(a, b, rtol=0, atol=0)


@pytest.mark.parametrize("name", names())
def test_a_row_holds_every_term_and_scheduled_value_as_floats(name):
    training = start(name)
    rows = list(train(training))
    assert [step for step, _ in rows] == [5, 10, 12]
    for step, row in rows:
        expected = {"loss", "distortion", "rate", "sigma", "learning_rate", *training.schedules}
        groups = [key for key in row if re.fullmatch(r"rate_\d+", key)]
        assert expected <= set(row)
        assert all(type(value) is float for value in row.values())
        assert row["learning_rate"] == pytest.approx(1e-3 * min(step / 10, 1))
        assert {key: row[key] for key in training.schedules} == training.hyper_at(step)
        assert row["rate"] == pytest.approx(sum(row[key] for key in groups), rel=1e-5)
    assert set(rows[0][1]) == set(rows[-1][1])


def test_rows_are_averages_over_their_interval():
    each = [row for _, row in train(start("beta_vae", record_every=1))]
    for step, row in train(start("beta_vae")):
        part = each[step - 5 if step % 5 == 0 else 10 : step]
        for key in ("loss", "distortion", "rate", "rate_0"):
            # float64 sums of float32 terms
            assert row[key] == pytest.approx(sum(other[key] for other in part) / len(part), rel=1e-9), key


def test_training_learns():
    rows = [row for _, row in train(start("vae", steps=300, record_every=100, learning_rate=1e-2))]
    assert rows[-1]["loss"] < rows[0]["loss"] - 5
    assert rows[-1]["sigma"] < rows[0]["sigma"]


@pytest.mark.parametrize(
    ("name", "network"),
    [*((name, small.SMALL) for name in names()), ("vae", "conv"), ("factor_vae", "burgess")],
)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_resumed_run_is_the_run_bit_for_bit(name, network, precision):
    options = {"network": network, "precision": precision}
    whole = start(name, **options)
    rows = []
    for step, row in train(whole):
        rows.append((step, row))
        if step == 5:
            state = saved(whole)
    resumed = start(name, **options)
    torch.rand(3)  # the global generator plays no part
    resumed.load_state_dict(state)
    assert resumed.step == 5
    assert list(train(resumed)) == rows[1:]
    assert_same_state(whole, resumed)


def test_moments_saved_in_another_layout_resume_alike():
    """A format that stores contiguous tensors returns moments without the weights' channels-last layout."""
    whole = start("vae", network="conv")
    run = train(whole)
    next(run)
    state = saved(whole)
    for moments in state["optimizer"]["state"].values():
        moments |= {key: value.contiguous() for key, value in moments.items()}
    resumed = start("vae", network="conv")
    resumed.load_state_dict(state)
    assert list(train(resumed)) == list(run)
    assert_same_state(whole, resumed)


def test_a_finished_run_yields_nothing_more():
    training = start("vae")
    list(train(training))
    assert list(train(training)) == []


def test_no_steps_leave_the_model_untrained():
    training = start("vae", steps=0)
    before = {key: value.clone() for key, value in training.family.state_dict().items()}
    assert list(train(training)) == []
    torch.testing.assert_close(training.family.state_dict(), before, rtol=0, atol=0)


def test_batches_come_from_the_index_uniformly():
    index = torch.tensor([3, 7, 11, 30])
    training = start("vae", rows=index, batch_size=1000)
    batch, _ = training.draw()
    matches = (batch.x[:, None] == IMAGES.batch(index)[None]).flatten(2).all(2)  # [1000, 4]
    assert (matches.sum(1) == 1).all()
    # counts of 1000 draws, 250 expected: four standard deviations of a binomial
    assert ((matches.sum(0) - 250).abs() < 4 * math.sqrt(1000 * 0.25 * 0.75)).all()


def test_the_trainings_random_numbers_are_not_the_weights():
    training = start("vae", seed=0)
    _, noise = training.draw()
    same = torch.randn(8, L, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(noise["posterior"], same)
    other, other_noise = start("vae", seed=1).draw()
    assert not torch.equal(noise["posterior"], other_noise["posterior"])
    assert other.x.shape == (8, *SHAPE)


class Fused(Family):
    """A family whose loss is infinite at the step where its hyper-parameter reaches zero."""

    options: ClassVar[Mapping[str, Option]] = {"fuse": Option("steps left", scheduled=True)}

    def terms(
        self, batch: Batch, hyper: Mapping[str, Tensor], noise: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        terms = self.autoencoder(batch, noise).terms
        return {"loss": terms["distortion"] / hyper["fuse"], **terms}


@pytest.mark.parametrize("fuse", [1, 5, 6, 8, 12])
def test_divergence_names_its_first_step(fuse):
    family = Fused(start("vae").family.autoencoder, N, None)
    hyper = {"fuse": {"schedule": "linear", "from": fuse, "to": fuse - 20, "steps": 20}}
    settings = Settings(steps=12, batch_size=8, learning_rate=1e-4, record_every=5)
    rows = []
    with pytest.raises(Diverged, match=f"step {fuse}") as caught:
        rows += train(Training(family, Sampler(IMAGES), settings, hyper, seed=0))
    assert caught.value.step == fuse
    assert pickle.loads(pickle.dumps(caught.value)).step == fuse, "it crosses process boundaries"


def test_a_reckless_learning_rate_diverges():
    with pytest.raises(Diverged):
        list(train(start("vae", learning_rate=1e30)))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"steps": -1}, "'steps'"),
        ({"steps": 1.5}, "1.5"),
        ({"batch_size": 0}, "'batch_size'"),
        ({"record_every": 0}, "'record_every'"),
        ({"learning_rate": -1}, "'learning_rate'"),
        ({"learning_rate": {"schedule": "linear", "from": 1}}, "'to' .* is missing"),
        ({"betas": (0.9, 1.0)}, "'betas'"),
        ({"precision": "float16"}, "auto, float32 or bfloat16"),
    ],
)
def test_settings_name_their_mistakes(changed, message):
    with pytest.raises(ValueError, match=message):
        Settings(**({"steps": 1, "batch_size": 1, "learning_rate": 1} | changed))


def test_states_that_do_not_fit_are_errors():
    state = saved(start("vae"))
    with pytest.raises(ValueError, match="'step'"):
        start("vae").load_state_dict({key: value for key, value in state.items() if key != "step"})
    with pytest.raises(ValueError, match="does not fit"):
        start("vae", network={"name": "mlp", "hidden": [13]}).load_state_dict(state)
    with pytest.raises(ValueError, match="step 13"):
        start("vae").load_state_dict(state | {"step": 13})
    with pytest.raises(ValueError, match="no image"):
        start("vae", rows=torch.tensor([], dtype=torch.int64))

"""Trials in one process: each ends as it would alone, whatever the others do and however they are packed."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

import vaecore.lockstep
from pipeline.store.layout import Store
from pipeline.study.trial import Trial
from pipeline.training.pack import Event, Pack, PackFailed, train
from pipeline.training.run import Run, data_of, record_failure
from tests.pipeline.small_trials import SETTINGS, make_trial
from vaecore.families import names
from vaecore.training import Row, Training


def trial_of(store: Store, family: str = "vae", seed: int = 0, **training: Any) -> Trial:
    checksum = store.read_ready("digits").meta["checksum"]
    return make_trial(family, seed, checksum=checksum, training=dataclasses.replace(SETTINGS, **training))


def four(store: Store) -> list[Trial]:
    """Of different lengths, one of them a baseline."""
    return [trial_of(store, seed=seed, steps=steps) for seed, steps in enumerate((40, 0, 25, 60))]


def events_of(trials: Sequence[Trial], store: Store, **options: Any) -> list[Event]:
    """Train them; what happened, in order."""
    return [event for events in train(trials, store, **options) for event in events]


def until_failure(rounds: Any) -> tuple[list[Event], Exception]:
    """What happened until it raised, and what it raised."""
    events: list[Event] = []
    try:
        for some in rounds:
            events += some
    except Exception as error:
        return events, error
    raise AssertionError("nothing failed")


@pytest.fixture
def alone(digits_store: Store, tmp_path: Path) -> Callable[[Trial], Store]:
    """``alone(trial)``: a store in which it was trained by itself."""

    def train_alone(trial: Trial) -> Store:
        store = Store(tmp_path / "alone")
        if not (tmp_path / "alone").exists():
            (tmp_path / "alone").mkdir()
            (tmp_path / "alone" / "data").symlink_to(tmp_path / "data")
        events_of([trial], store)
        return store

    return train_alone


def assert_same(trial: Trial, store: Store, other: Store) -> None:
    """The same weights and history, bit for bit, and the same end."""
    one, two = (load_file(each.run("digits", trial.key) / "model.safetensors") for each in (store, other))
    assert one.keys() == two.keys()
    torch.testing.assert_close(one, two, rtol=0, atol=0, equal_nan=True)
    histories = (each.history("digits", trial.key) for each in (store, other))
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    results = [each.result("digits", trial.key) for each in (store, other)]
    for name in ("status", "diverged_at", "steps"):
        assert results[0][name] == results[1][name]


def log_of(trial: Trial, store: Store) -> str:
    return (store.run("digits", trial.key) / "trial.log").read_text()


def test_every_family_ends_packed_as_alone(digits_store: Store, alone):
    trials = [trial_of(digits_store, family, seed) for family in names() for seed in (0, 1)]
    events = events_of(trials, digits_store, side_by_side=len(trials))
    assert {event.kind for event in events} == {"started", "row", "ended"}
    for trial in trials:
        assert_same(trial, digits_store, alone(trial))
        result = digits_store.result("digits", trial.key)
        assert result["together"] == len(trials)
        steps = [event.content["step"] for event in events if event.kind == "row" and event.key == trial.key]
        assert steps == [10, 20, 30, 40]


@pytest.mark.parametrize("side_by_side", [1, 2, 4, 9])
def test_trials_of_different_lengths_end_on_their_own(digits_store: Store, alone, side_by_side: int):
    trials = four(digits_store)
    events = events_of(trials, digits_store, side_by_side=side_by_side)
    live: set[str] = set()
    most = 0
    for event in events:
        if event.kind == "started":
            live.add(event.key)
        elif event.kind == "ended":
            live.remove(event.key)
            assert digits_store.result("digits", event.key) is not None
        elif event.kind == "row":
            most = max(most, len(live))
    assert not live
    assert most == min(side_by_side, 3)  # a baseline ends as soon as it has started
    for trial in trials:
        assert_same(trial, digits_store, alone(trial))
    together = [digits_store.result("digits", trial.key)["together"] for trial in trials]
    assert (
        together == [min(side_by_side, 3), 1, min(side_by_side, 3), min(side_by_side, 3)] or side_by_side == 2
    )


def test_each_has_its_own_folder_and_log(digits_store: Store):
    trials = four(digits_store)
    events_of(trials, digits_store, side_by_side=4)
    for trial in trials:
        folder = digits_store.run("digits", trial.key)
        assert {path.name for path in folder.iterdir()} == {
            "config.json", "trial.log", "model.safetensors", "history.parquet", "result.json",
        }  # fmt: skip
        assert json.loads((folder / "config.json").read_text()) == trial.config()
        lines = log_of(trial, digits_store).splitlines()
        assert len(lines) == 2
        assert trial.name in lines[0]
        assert f"finished after {trial.training.steps} steps" in lines[1]


def test_the_shares_of_a_workers_time_add_up(digits_store: Store, monkeypatch: pytest.MonkeyPatch):
    def slow(trainings: Sequence[Training]) -> list[Row | Exception]:
        time.sleep(0.05)
        return vaecore.lockstep.advance(trainings)

    monkeypatch.setattr("pipeline.training.pack.advance", slow)
    trials = [trial_of(digits_store, seed=seed) for seed in range(3)]
    began = time.monotonic()
    events_of(trials, digits_store, side_by_side=3)
    wall = time.monotonic() - began
    results = [digits_store.result("digits", trial.key) for trial in trials]
    # Three first rows by themselves, then three rounds together.
    assert 6 * 0.05 <= sum(result["seconds"] for result in results) <= wall + 0.01
    for result in results:
        assert result["seconds"] >= 0.05 + 3 * 0.05 / 3 - 0.002
        assert result["images_per_second"] == pytest.approx(40 * 16 / result["seconds"], rel=0.02)
        assert result["elapsed"] >= result["seconds"]


def test_trials_of_a_worker_share_one_copy_of_the_images(digits_store: Store):
    trials = four(digits_store)
    pack = Pack(trials, digits_store, side_by_side=4)
    addresses = set()
    for _ in pack.rounds():
        addresses |= {run.training.sampler.images.stored.data_ptr() for run in pack.live if run.training}
    assert len(addresses) == 1
    assert data_of(trials[0], digits_store, "cpu") is data_of(trials[3], digits_store, "cpu")


def test_an_interrupted_pack_goes_on_packed_otherwise(digits_store: Store, alone):
    trials = [trial_of(digits_store, seed=seed, steps=60) for seed in range(4)]
    rounds = train(trials, digits_store, side_by_side=3, checkpoint_seconds=0)
    for some in rounds:
        if sum(event.kind == "row" and event.content["step"] == 30 for event in some) == 3:
            break
    rounds.close()  # killed after three rows of the first three
    assert all((digits_store.run("digits", trial.key) / "checkpoint.pt").exists() for trial in trials[:3])

    events_of([trials[2]], digits_store)
    events_of([trials[3], trials[0], trials[1]], digits_store, side_by_side=2)
    for trial in trials:
        assert_same(trial, digits_store, alone(trial))
    results = [digits_store.result("digits", trial.key) for trial in trials]
    assert [result["interruptions"] for result in results] == [1, 1, 1, 0]
    assert [result["together"] for result in results] == [3, 3, 3, 2]


def test_one_that_diverges_does_not_disturb_the_others(digits_store: Store, alone):
    trials = [
        trial_of(digits_store, seed=seed, learning_rate=rate) for seed, rate in enumerate((1e-3, 1e30, 1e-3))
    ]
    events_of(trials, digits_store, side_by_side=3)
    assert [digits_store.result("digits", trial.key)["status"] for trial in trials] == [
        "finished",
        "diverged",
        "finished",
    ]
    for trial in trials:
        assert_same(trial, digits_store, alone(trial))


def a_checkpoint_of_another(store: Store, trial: Trial, patch: pytest.MonkeyPatch) -> str:
    other = dataclasses.replace(trial, latents=5)
    rounds = train([other], store, checkpoint_seconds=0)
    for _ in range(2):
        next(rounds)
    rounds.close()
    folder = store.run("digits", trial.key)
    folder.mkdir(parents=True)
    (store.run("digits", other.key) / "checkpoint.pt").rename(folder / "checkpoint.pt")
    return "ValueError: a training state does not fit this family"


def a_full_disk(store: Store, trial: Trial, patch: pytest.MonkeyPatch) -> str:
    record = Run.record

    def fails(self: Run, row: Row) -> None:
        if self.trial.key == trial.key and row[0] == 20:
            raise OSError(28, "No space left on device")
        record(self, row)

    patch.setattr(Run, "record", fails)
    return "OSError: [Errno 28] No space left on device"


def a_bug(store: Store, trial: Trial, patch: pytest.MonkeyPatch) -> str:
    def fails(trainings: Sequence[Training]) -> list[Row | Exception]:
        outcomes = vaecore.lockstep.advance(trainings)
        broken = [len(trainings) > 1 and i == 1 for i in range(len(trainings))]
        return [KeyError("beta") if b else row for b, row in zip(broken, outcomes, strict=True)]

    patch.setattr("pipeline.training.pack.advance", fails)
    return "KeyError: 'beta'"


@pytest.mark.parametrize("breaks", [a_checkpoint_of_another, a_full_disk, a_bug])
def test_one_that_fails_does_not_disturb_the_others(
    digits_store: Store, alone, breaks: Any, monkeypatch: pytest.MonkeyPatch
):
    trials = [trial_of(digits_store, seed=seed) for seed in range(2)]
    with monkeypatch.context() as patch:
        reason = breaks(digits_store, trials[1], patch)
        events, error = until_failure(train(trials, digits_store, side_by_side=2))
    assert reason in f"{type(error).__name__}: {error}"  # for Ray, which starts the pack again
    assert [event.key for event in events if event.kind == "ended"] == [trials[0].key]
    (failed,) = [event for event in events if event.kind == "failed"]
    assert failed.key == trials[1].key
    failure = digits_store.failure("digits", trials[1].key)
    assert reason in failure["reason"]
    assert failed.content["reason"] == failure["reason"]
    assert "Error" in failure["detail"]
    assert "together" not in failure  # nothing that fewer trials would cure
    assert reason in log_of(trials[1], digits_store)
    assert "failed" not in log_of(trials[0], digits_store)
    assert_same(trials[0], digits_store, alone(trials[0]))

    if breaks is a_checkpoint_of_another:
        (digits_store.run("digits", trials[1].key) / "checkpoint.pt").unlink()
    events = events_of(trials, digits_store, side_by_side=2)
    assert {event.key for event in events} == {trials[1].key}  # what is finished is skipped
    assert digits_store.failure("digits", trials[1].key) is None
    assert_same(trials[1], digits_store, alone(trials[1]))


def test_several_failures_are_raised_together(digits_store: Store, monkeypatch: pytest.MonkeyPatch):
    trials = [trial_of(digits_store, seed=seed) for seed in range(3)]
    monkeypatch.setattr(
        Run, "record", lambda self, row: (_ for _ in ()).throw(ValueError(f"no {self.trial.seed}"))
    )
    _, error = until_failure(train(trials, digits_store, side_by_side=3))
    assert isinstance(error, PackFailed)
    assert str(error) == "3 of 3 trials failed: ValueError: no 0; ValueError: no 1; ValueError: no 2"


def failing_device(live: int) -> Callable[[Sequence[Training]], list[Row | Exception]]:
    """``advance``, on a device that cannot hold so many."""

    def advance(trainings: Sequence[Training]) -> list[Row | Exception]:
        outcomes = vaecore.lockstep.advance(trainings)
        if len(trainings) >= live:
            outcomes[1] = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB")
        return outcomes

    return advance


def test_a_device_failure_fails_all_that_train_and_halves_the_pack(
    digits_store: Store, alone, monkeypatch: pytest.MonkeyPatch
):
    trials = [trial_of(digits_store, seed=seed) for seed in range(6)]
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.training.pack.advance", failing_device(4))
        events, error = until_failure(train(trials, digits_store, side_by_side=4))
        assert isinstance(error, PackFailed)
        assert [event.key for event in events if event.kind == "failed"] == [
            trial.key for trial in trials[:4]
        ]
        for trial in trials[:4]:
            failure = digits_store.failure("digits", trial.key)
            assert failure["reason"] == "OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 MiB"
            assert failure["together"] == 4
        for trial in trials[4:]:  # they had not begun
            assert digits_store.failure("digits", trial.key) is None

        events = events_of(trials, digits_store, side_by_side=4)
    messages = [event.content["text"] for event in events if event.kind == "message"]
    assert messages == ["digits: at most 2 of a pack of 6 train side by side: the device failed with more"]
    for trial in trials:
        assert_same(trial, digits_store, alone(trial))
        assert digits_store.result("digits", trial.key)["together"] == 2
        assert digits_store.failure("digits", trial.key) is None


def test_a_device_that_fails_a_single_trial_is_its_failure(
    digits_store: Store, monkeypatch: pytest.MonkeyPatch
):
    trials = [trial_of(digits_store, seed=seed) for seed in range(2)]
    monkeypatch.setattr(
        "pipeline.training.pack.advance",
        lambda trainings: [RuntimeError("CUDA error: unspecified launch failure")],
    )
    _, error = until_failure(train(trials, digits_store, side_by_side=2))
    assert str(error) == "CUDA error: unspecified launch failure"
    assert digits_store.failure("digits", trials[0].key)["together"] == 1
    assert digits_store.failure("digits", trials[1].key) is None


def test_a_trial_out_of_attempts_is_left_alone(digits_store: Store):
    trials = [trial_of(digits_store, seed=seed) for seed in range(2)]
    for _ in range(3):
        record_failure(trials[0], digits_store, "RuntimeError: broken", "traceback")
    last = {trials[0].key: 3, trials[1].key: 3}
    events = events_of(trials, digits_store, side_by_side=2, last_attempt=last)
    assert {event.key for event in events} == {trials[1].key}
    assert not list(train([trials[0]], digits_store, last_attempt=last))


def test_what_does_not_fit_into_memory_waits(digits_store: Store, alone, monkeypatch: pytest.MonkeyPatch):
    trials = [trial_of(digits_store, seed=seed, steps=40 + 10 * seed) for seed in range(5)]
    pack = Pack(trials, digits_store, side_by_side=5)
    # A trial uses 3 GB of 12.5; when three have, 3.5 are left, and another one needs 1.25 times 3.
    monkeypatch.setattr(
        "pipeline.training.pack.free_memory",
        lambda device: int(12.5e9 - 3e9 * sum(run.training is not None for run in pack.live)),
    )
    events = [event for some in pack.rounds() for event in some]
    messages = [event.content["text"] for event in events if event.kind == "message"]
    assert messages == [
        "digits: 3 of a pack of 5 fit into 12.5 GB of free memory; the others train after them"
    ]
    order = [(event.kind, event.key) for event in events if event.kind in ("started", "ended")]
    assert order[:4] == [("started", trial.key) for trial in trials[:3]] + [("ended", trials[0].key)]
    assert order[4] == ("started", trials[3].key)  # as soon as one had ended
    for position, trial in enumerate(trials):
        assert_same(trial, digits_store, alone(trial))
        assert digits_store.result("digits", trial.key)["together"] <= 3
        assert (messages[0] in log_of(trial, digits_store)) == (position >= 3)


@pytest.mark.parametrize("free", [None, 0])
def test_a_system_that_does_not_tell_and_one_without_memory(
    digits_store: Store, free: int | None, monkeypatch
):
    trials = [trial_of(digits_store, seed=seed) for seed in range(3)]
    monkeypatch.setattr("pipeline.training.pack.free_memory", lambda device: free)
    events_of(trials, digits_store, side_by_side=3)
    together = {digits_store.result("digits", trial.key)["together"] for trial in trials}
    assert together == {3}  # no memory was seen to be used, so none is missed


def test_auto_grows_while_it_pays(digits_store: Store, alone, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pipeline.training.pack_size.SECONDS", 0)
    monkeypatch.setattr("pipeline.training.pack_size.GAIN", 0)  # it always pays
    trials = [trial_of(digits_store, seed=seed, steps=200) for seed in range(5)]
    events_of(trials, digits_store, side_by_side=None)
    assert [digits_store.result("digits", trial.key)["together"] for trial in trials] == [5] * 5
    for trial in trials:
        assert_same(trial, digits_store, alone(trial))


def test_a_checkpoint_of_another_kind_of_device_is_not_used(digits_store: Store, alone):
    trial = trial_of(digits_store)
    rounds = train([trial], digits_store, checkpoint_seconds=0)
    for _ in range(3):
        next(rounds)
    rounds.close()
    path = digits_store.run("digits", trial.key) / "checkpoint.pt"
    torch.save({**torch.load(path, weights_only=True), "device": "cuda"}, path)
    events_of([trial], digits_store)
    assert "the checkpoint is of a run on cuda; training starts again" in log_of(trial, digits_store)
    assert_same(trial, digits_store, alone(trial))


def test_a_checkpoint_is_kept_where_memory_ends_while_it_is_read(
    digits_store: Store, alone, monkeypatch: pytest.MonkeyPatch
):
    trial = trial_of(digits_store)
    rounds = train([trial], digits_store, checkpoint_seconds=0)
    for _ in range(3):
        next(rounds)
    rounds.close()
    with monkeypatch.context() as patch:
        patch.setattr(
            "pipeline.training.run.torch.load",
            lambda *a, **k: (_ for _ in ()).throw(torch.OutOfMemoryError("CUDA")),
        )
        until_failure(train([trial], digits_store))
    assert digits_store.failure("digits", trial.key)["together"] == 1
    events = events_of([trial], digits_store)
    assert [event.content["step"] for event in events if event.kind == "row"] == [30, 40]
    assert_same(trial, digits_store, alone(trial))

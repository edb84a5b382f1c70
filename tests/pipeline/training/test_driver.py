"""The driver prints and records what packs report, and the failures of workers that die silently."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.errors import UserError
from pipeline.store.layout import Store
from pipeline.study.trial import Trial
from pipeline.training.driver import StudyCallback
from pipeline.training.pack import Event, train
from pipeline.training.run import record_failure
from tests.pipeline.small_trials import SETTINGS, make_trial

RETRIES = 2


class Recorder:
    """Keeps a list of its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []

    def start_trial(self, trial: Trial) -> None:
        self.calls.append(("start", trial.seed))

    def finish_trial(self, trial: Trial, result: Any, history: Any) -> None:
        self.calls.append((result["status"], trial.seed))

    def fail_trial(self, trial: Trial, reason: str) -> None:
        self.calls.append((f"failed: {reason}", trial.seed))


class Study:
    """Three trials in one pack, and the driver's callback for them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.trials = [
            make_trial(
                seed=seed,
                checksum=store.read_ready("digits").meta["checksum"],
                training=dataclasses.replace(SETTINGS, steps=4),
            )
            for seed in range(3)
        ]
        self.recorder = Recorder()
        last = {trial.key: RETRIES + 1 for trial in self.trials}
        self.callback = StudyCallback(self.trials, lambda trial: 1.0, store, self.recorder, last)  # type: ignore[arg-type]
        self.pack = SimpleNamespace(
            trial_id="a", config={"trials": [trial.config() for trial in self.trials]}, error_file=None
        )

    def begin(self) -> None:
        self.callback.on_trial_start(0, [], self.pack)

    def report(self, *events: tuple[str, int] | Event, **content: Any) -> None:
        """Let the worker report events: (kind, number of the trial), ..."""
        reported = [
            event if isinstance(event, Event) else Event(event[0], self.trials[event[1]].key, content)  # type: ignore[arg-type]
            for event in events
        ]
        self.callback.on_trial_result(0, [], self.pack, {"events": reported})

    def train(self, *numbers: int) -> None:
        list(train([self.trials[number] for number in numbers], self.store))

    def failures(self) -> list[dict[str, Any] | None]:
        return [self.store.failure("digits", trial.key) for trial in self.trials]

    @property
    def running(self) -> list[int]:
        return [self.callback.progress.trials[key].seed for key in self.callback.progress.running]


@pytest.fixture
def study(digits_store: Store, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setattr("pipeline.training.driver.PLAIN_SECONDS", 0)
    return Study(digits_store)


def test_trials_start_and_end_when_they_do_and_not_with_their_pack(study: Study, capsys):
    study.begin()
    assert study.running == []
    study.report(("started", 0), ("started", 1))
    study.report(("row", 1), step=3, distortion=2.5, rate=1.0)
    assert study.running == [0, 1]
    assert study.callback.progress.running[study.trials[1].key]["step"] == 3
    study.train(0)
    study.report(("ended", 0), ("started", 2))
    assert study.running == [1, 2]  # those that wait are not shown
    assert "tune: 1/3 finished: digits vae seed=0" in capsys.readouterr().out
    assert study.recorder.calls == [("start", 0), ("start", 1), ("finished", 0), ("start", 2)]
    study.callback.on_step_end(1, [])
    assert "tune: 1/3 trials ended, 2 running" in capsys.readouterr().out
    study.train(1, 2)
    study.report(("ended", 1), ("ended", 2))
    study.callback.on_trial_complete(2, [], study.pack)
    assert study.recorder.calls[4:] == [("finished", 1), ("finished", 2)]  # each once
    assert capsys.readouterr().out.count("3/3 finished") == 1


def test_a_message_of_the_pack_is_printed(study: Study, capsys):
    study.begin()
    study.report(Event("message", content={"text": "digits: 3 of a pack of 8 fit"}))
    assert capsys.readouterr().out == "tune: digits: 3 of a pack of 8 fit\n"


def test_a_trial_is_tried_again_until_its_own_attempts_are_used_up(study: Study, capsys):
    for attempt in range(1, RETRIES + 2):
        study.begin()
        study.report(("started", 0))
        record_failure(study.trials[0], study.store, "RuntimeError: broken", "traceback")
        study.report(("failed", 0), reason="RuntimeError: broken")
        printed = capsys.readouterr().out
        if attempt <= RETRIES:
            assert printed == "tune: trying again: digits vae seed=0: RuntimeError: broken\n"
            assert study.callback.progress.ended == {}
        else:
            assert printed == "tune: failed: digits vae seed=0: RuntimeError: broken\n"
        study.callback.on_trial_recover(0, [], study.pack)
        assert capsys.readouterr().out == ""
    assert study.running == []
    assert study.recorder.calls[-1] == ("failed: RuntimeError: broken", 0)
    assert study.failures()[1:] == [None, None]  # the others have theirs
    study.begin()
    study.report(("started", 1))
    study.train(1, 2)
    study.callback.on_trial_complete(0, [], study.pack)
    assert study.callback.progress.line().startswith("3/3 trials ended, 1 failed, 0 running")


def test_a_worker_that_dies_silently_fails_the_trials_that_trained(study: Study, capsys, tmp_path: Path):
    (tmp_path / "error.txt").write_text(
        "Failure # 1 (occurred at 2026-01-01_00-00-00)\nThe actor died.\n\tclass_name: F\n"
    )
    study.pack.error_file = str(tmp_path / "error.txt")
    study.begin()
    study.report(("started", 0), ("started", 1))
    study.callback.on_trial_recover(0, [], study.pack)
    first, second, third = study.failures()
    assert (first["reason"], first["together"], first["attempts"]) == ("The actor died.", 2, 1)
    assert (second["reason"], second["together"]) == ("The actor died.", 2)
    assert third is None  # it waited
    assert study.running == []
    assert capsys.readouterr().out.count("trying again") == 2


def test_a_result_counts_although_its_worker_died_before_it_reported_it(study: Study, capsys):
    study.begin()
    study.report(("started", 0), ("started", 1))
    study.train(0)
    study.callback.on_trial_recover(0, [], study.pack)
    assert study.callback.progress.ended == {study.trials[0].key: "finished"}
    assert [failure and failure["together"] for failure in study.failures()] == [None, 1, None]
    out = capsys.readouterr().out
    assert "1/3 finished" in out
    assert "trying again: digits vae seed=1" in out


def test_a_reason_that_the_worker_wrote_is_kept(study: Study):
    study.begin()
    study.report(("started", 0), ("started", 1))
    record_failure(study.trials[0], study.store, "OutOfMemoryError: full", "traceback", 2)
    study.callback.on_trial_recover(0, [], study.pack)  # it died before it reported that
    assert [failure and failure["reason"] for failure in study.failures()] == [
        "OutOfMemoryError: full",
        "the worker process ended without an error message",
        None,
    ]
    # An earlier attempt's failure says nothing of this one.
    path = study.store.run("digits", study.trials[0].key) / "failure.json"
    os.utime(path, (1, 1))
    study.begin()
    study.report(("started", 0))
    study.callback.on_trial_recover(0, [], study.pack)
    assert study.failures()[0]["attempts"] == 2
    assert study.failures()[0]["together"] == 1


def test_a_worker_that_never_came_up_fails_all_of_its_trials(study: Study, capsys):
    study.callback.on_trial_error(0, [], study.pack)  # Ray had no process for it
    assert {failure["reason"] for failure in study.failures()} == {
        "the worker process ended without an error message"
    }
    assert all("together" not in failure for failure in study.failures())
    assert study.callback.progress.line().startswith("3/3 trials ended, 3 failed")
    assert capsys.readouterr().out.count("tune: failed:") == 3


def test_an_mlflow_store_that_is_gone_does_not_stop_the_training(study: Study, capsys):
    def gone(trial: Trial) -> None:
        raise UserError("the MLflow store failed.")

    study.recorder.start_trial = gone  # type: ignore[method-assign]
    study.begin()
    study.report(("started", 0), ("started", 1))
    assert capsys.readouterr().out.count("Training goes on") == 1
    assert study.running == [0, 1]

"""The driver's part of the training: show progress, record trials in MLflow, and record failures of workers.

Ray Tune calls :class:`StudyCallback` in the driver as packs start, report and end. What happens to the trials
of a pack arrives as events (``pipeline.training.pack``). Only the driver writes to MLflow. A worker writes
the reason of a failure itself; if it dies before it can do so, the driver writes it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ray.tune import Callback
from rich.console import Console
from rich.live import Live

from pipeline.errors import UserError
from pipeline.store.layout import Store
from pipeline.study.trial import Trial
from pipeline.study.wording import duration
from pipeline.training.pack import Event
from pipeline.training.progress import Progress
from pipeline.training.recorder import Recorder
from pipeline.training.run import record_failure

__all__ = ["StudyCallback"]

PLAIN_SECONDS = 15.0
"""Time between two lines of progress if the output is not a terminal."""


@dataclass
class Attempt:
    """One process that trains a pack, as far as its events have arrived."""

    began: float = 0.0
    """Time of day, in seconds since 1970."""
    live: dict[str, Trial] = field(default_factory=dict)
    """Trial key -> a trial that is being trained."""
    reported_failure: bool = False
    """Whether the worker has reported the failure of a trial."""


class StudyCallback(Callback):
    """Shows and records a study while Ray Tune trains it. A trial of Ray Tune's is a pack of ours."""

    def __init__(
        self,
        trials: Sequence[Trial],
        cost: Callable[[Trial], float],
        store: Store,
        recorder: Recorder,
        last_attempt: Mapping[str, int],
    ) -> None:
        """Show and record ``trials``.

        Args:
            cost: the amount of computation of one step of a trial, in any unit.
            last_attempt: trial key -> number of failed attempts after which a trial is not tried again.
        """
        console = Console()
        self.progress = Progress(trials, cost)
        self.store = store
        self.recorder = recorder
        self.live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self.printed = time.monotonic()
        self.last_attempt = last_attempt
        self.attempts: dict[str, Attempt] = {}
        self.recording = True

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return Callback, ()  # Tune pickles callbacks for a restore, which we do not use

    # --- called by Ray Tune ---------------------------------------------------------------------------------

    def setup(self, *arguments: Any, **info: Any) -> None:
        if self.live is not None:
            self.live.start()

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        now = time.monotonic()
        if self.live is not None:
            self.live.update(self.progress.table(), refresh=True)
        elif now - self.printed >= PLAIN_SECONDS:
            self.print(self.progress.line())

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.attempts[trial.trial_id] = Attempt(time.time())

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        for event in result.get("events", ()):
            self.on_event(event, self.attempt_at(trial))

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        for ours in self.unfinished(trial):  # none, unless the pack was stopped from outside
            self.on_end(ours)

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.on_worker_error(trial)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.on_worker_error(trial)
        for ours in self.unfinished(trial):  # there is no next attempt for the others
            self.on_failure(ours, self.reason_for(ours, trial, 0.0, None), last=True)

    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        self.close()

    # --- what happens to a trial ----------------------------------------------------------------------------

    def on_event(self, event: Event, attempt: Attempt) -> None:
        """A worker reports an event of one of its trials, or a message about its pack."""
        if event.kind == "message":
            self.print(event.content["text"])
            return
        trial = self.progress.trials[event.key]
        if event.kind == "started":
            attempt.live[trial.key] = trial
            self.progress.running[trial.key] = {}
            self.record("start_trial", trial)
        elif event.kind == "row":
            self.progress.running[trial.key].update(event.content)
        else:
            attempt.live.pop(trial.key, None)
            if event.kind == "ended":
                self.on_end(trial)
            else:
                attempt.reported_failure = True
                self.on_failure(trial, event.content["reason"])

    def on_end(self, trial: Trial) -> None:
        """Print and record the result of a trial, if its run folder holds one."""
        self.progress.running.pop(trial.key, None)
        result = self.store.result(trial.dataset, trial.key)
        if result is None:
            return
        self.progress.ended[trial.key] = result["status"]
        count = f"{len(self.progress.ended)}/{len(self.progress.trials)}"
        rate = f", {result['images_per_second']:.0f} images/s" if result["images_per_second"] else ""
        name = f"{trial.dataset} {trial.name}"
        self.print(f"{count} {result['status']}: {name}, {duration(result['seconds'])}{rate}")
        self.record("finish_trial", trial, result, self.store.history(trial.dataset, trial.key))

    def on_failure(self, trial: Trial, reason: str, *, last: bool = False) -> None:
        """Print that an attempt at a trial failed; if it was the last one, record the trial as failed."""
        self.progress.running.pop(trial.key, None)
        attempts = (self.store.failure(trial.dataset, trial.key) or {}).get("attempts", 0)
        if not last and attempts < self.last_attempt[trial.key]:
            self.print(f"trying again: {trial.dataset} {trial.name}: {reason}")
            return
        self.progress.ended[trial.key] = "failed"
        self.print(f"failed: {trial.dataset} {trial.name}: {reason}")
        self.record("fail_trial", trial, reason)

    def on_worker_error(self, pack: Any) -> None:
        """A worker ended with an error: record it for the trials for which the worker could not do so."""
        attempt = self.attempt_at(pack)
        for trial in self.unfinished(pack):
            self.on_end(trial)  # it may have ended without a report, if the worker died in between
        live = [trial for trial in self.unfinished(pack) if trial.key in attempt.live]
        # If no trial had started, the error concerns all of them.
        lost = live if live or attempt.reported_failure else self.unfinished(pack)
        for trial in lost:
            self.on_failure(trial, self.reason_for(trial, pack, attempt.began, len(live) or None))
        attempt.live.clear()

    def reason_for(self, trial: Trial, pack: Any, since: float, together: int | None) -> str:
        """Why a trial failed: the reason that the worker wrote after ``since``, or else Ray's."""
        path = self.store.run(trial.dataset, trial.key) / "failure.json"
        if not path.exists() or path.stat().st_mtime < since:
            record_failure(trial, self.store, *reason_of(pack), together)
        failure = self.store.failure(trial.dataset, trial.key)
        return failure["reason"] if failure else "unknown"

    def attempt_at(self, pack: Any) -> Attempt:
        return self.attempts.setdefault(pack.trial_id, Attempt())

    def unfinished(self, pack: Any) -> list[Trial]:
        """The trials of a pack that have neither ended nor failed for the last time."""
        keys = (Trial.from_config(config).key for config in pack.config["trials"])
        return [self.progress.trials[key] for key in keys if key not in self.progress.ended]

    # --- output ---------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Show the last table and release the terminal. It may be called twice."""
        if self.live is not None and self.live.is_started:
            self.live.update(self.progress.table(), refresh=True)
            self.live.stop()

    def record(self, method: str, *arguments: Any) -> None:
        """Call the recorder. If its store fails, training goes on; the stage logs all runs at its end."""
        if not self.recording:
            return
        try:
            getattr(self.recorder, method)(*arguments)
        except UserError as error:
            self.recording = False
            self.print(f"MLflow: {error} Training goes on; the runs are logged at the end.")

    def print(self, line: str) -> None:
        self.printed = time.monotonic()
        if self.live is not None:
            self.live.console.print(f"tune: {line}", highlight=False)
        else:
            print(f"tune: {line}", file=sys.stdout, flush=True)


def reason_of(pack: Any) -> tuple[str, str]:
    """(one line, all that is known) of Ray's error for a pack whose worker reported none."""
    path = pack.error_file
    text = Path(path).read_text() if path and Path(path).exists() else ""
    # Ray heads each failure of a pack with "Failure # n (occurred at ...)"; the last one is meant.
    last = text.rpartition("(occurred at")[2].partition("\n")[2].strip()
    lines = [line.strip() for line in last.splitlines() if line.strip()]
    if not lines:
        return "the worker process ended without an error message", ""
    is_traceback = any(line.startswith("Traceback") for line in lines)
    return (lines[-1] if is_traceback else lines[0]), last

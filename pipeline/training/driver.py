"""What happens in the driver while Ray Tune trains: a live table or plain lines, MLflow runs as they come.

Ray knows packs; what happens to their trials comes as events (``pipeline.training.pack``), when it happens. The driver is the one writer of
MLflow, and of the reasons of trials whose worker died before it could write its own.
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
from pipeline.training.pack import Event
from pipeline.training.progress import Progress, duration
from pipeline.training.recorder import Recorder
from pipeline.training.run import record_failure

__all__ = ["StudyCallback"]

PLAIN_SECONDS = 15.0
"""Between two status lines where there is no terminal."""


@dataclass
class Attempt:
    """One process that trains a pack, as far as it has told."""

    began: float = 0.0
    """On the clock."""
    live: dict[str, Trial] = field(default_factory=dict)
    """Trial key -> a trial that trains."""
    told: bool = False
    """It said of a trial why that failed."""


class StudyCallback(Callback):
    """Called by Ray Tune in the driver, as packs start, report and end."""

    def __init__(
        self,
        trials: Sequence[Trial],
        cost: Callable[[Trial], float],
        store: Store,
        tracker: Recorder,
        last_attempt: Mapping[str, int],
    ) -> None:
        """``cost``: what one step of a trial takes, in any unit; ``last_attempt``: as for :class:`pipeline.training.pack.Pack`."""
        console = Console()
        self.progress = Progress(trials, cost)
        self.store = store
        self.tracker = tracker
        self.live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self.printed = time.monotonic()
        self.last_attempt = last_attempt
        self.attempts: dict[str, Attempt] = {}
        self.tracking = True

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return Callback, ()  # Tune pickles its settings for a restore that we never make

    def setup(self, *arguments: Any, **info: Any) -> None:
        if self.live is not None:
            self.live.start()

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        now = time.monotonic()
        if self.live is not None:
            self.live.update(self.progress.table(), refresh=True)
        elif now - self.printed >= PLAIN_SECONDS:
            self.say(self.progress.line())

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.attempts[trial.trial_id] = Attempt(time.time())

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        for event in result.get("events", ()):
            self.on_event(event, self.attempt(trial))

    def on_event(self, event: Event, attempt: Attempt) -> None:
        """A worker tells of one of its trials, or of its pack."""
        if event.kind == "line":
            self.say(event.content["text"])
            return
        ours = self.progress.trials[event.key]
        if event.kind == "started":
            attempt.live[ours.key] = ours
            self.progress.running[ours.key] = {}
            self.track("start_trial", ours)
        elif event.kind == "row":
            self.progress.running[ours.key].update(event.content)
        else:
            attempt.live.pop(ours.key, None)
            if event.kind == "ended":
                self.ended(ours)
            else:
                attempt.told = True
                self.failed(ours, event.content["reason"])

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        for ours in self.left(trial):  # none, but where it was stopped from outside
            self.ended(ours)

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.died(trial)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.died(trial)
        for ours in self.left(trial):  # there is no next attempt for the others
            self.failed(ours, self.note(ours, trial, 0.0, None), last=True)

    def ended(self, ours: Trial) -> None:
        """Say and log how a trial ended, where it did; the run folder says what is there otherwise."""
        self.progress.running.pop(ours.key, None)
        result = self.store.result(ours.dataset, ours.key)
        if result is None:
            return
        self.progress.ended[ours.key] = result["status"]
        self.say(
            f"{len(self.progress.ended)}/{len(self.progress.trials)} {result['status']}: {ours.dataset} {ours.name}, "
            f"{duration(result['seconds'])}"
            + (f", {result['images_per_second']:.0f} images/s" if result["images_per_second"] else "")
        )
        self.track("finish_trial", ours, result, self.store.history(ours.dataset, ours.key))

    def failed(self, ours: Trial, reason: str, *, last: bool = False) -> None:
        """Say that an attempt at a trial failed; where it was the last one, that is how the trial ended."""
        self.progress.running.pop(ours.key, None)
        attempts = (self.store.failure(ours.dataset, ours.key) or {}).get("attempts", 0)
        if not last and attempts < self.last_attempt[ours.key]:
            self.say(f"trying again: {ours.dataset} {ours.name}: {reason}")
            return
        self.progress.ended[ours.key] = "failed"
        self.say(f"failed: {ours.dataset} {ours.name}: {reason}")
        self.track("fail_trial", ours, reason)

    def died(self, trial: Any) -> None:
        """A worker ended by an error: record it of the trials of which it could not do so itself."""
        attempt = self.attempt(trial)
        for ours in self.left(trial):
            self.ended(ours)  # where it did, and the worker died before it told
        live = [ours for ours in self.left(trial) if ours.key in attempt.live]
        # before any had started, it is said of all
        lost = live if live or attempt.told else self.left(trial)
        for ours in lost:
            self.failed(ours, self.note(ours, trial, attempt.began, len(live) or None))
        attempt.live.clear()

    def note(self, ours: Trial, trial: Any, since: float, together: int | None) -> str:
        """The reason of a failure: what the worker wrote ``since``, or, where it died too soon, what Ray knows."""
        path = self.store.run(ours.dataset, ours.key) / "failure.json"
        if not path.exists() or path.stat().st_mtime < since:
            record_failure(ours, self.store, *reason_of(trial), together)
        failure = self.store.failure(ours.dataset, ours.key)
        return failure["reason"] if failure else "unknown"

    def attempt(self, trial: Any) -> Attempt:
        return self.attempts.setdefault(trial.trial_id, Attempt())

    def left(self, trial: Any) -> list[Trial]:
        """The trials of a pack of which nothing final is known."""
        keys = (Trial.from_config(config).key for config in trial.config["trials"])
        return [self.progress.trials[key] for key in keys if key not in self.progress.ended]

    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        self.close()

    def close(self) -> None:
        """Show how it ended and give the terminal back; may be called twice."""
        if self.live is not None and self.live.is_started:
            self.live.update(self.progress.table(), refresh=True)
            self.live.stop()

    def track(self, method: str, *arguments: Any) -> None:
        """Tell MLflow; a store that is gone does not stop the training, the stage tries once more at its end."""
        if not self.tracking:
            return
        try:
            getattr(self.tracker, method)(*arguments)
        except UserError as error:
            self.tracking = False
            self.say(f"MLflow: {error} Training goes on; the runs are logged at the end.")

    def say(self, line: str) -> None:
        self.printed = time.monotonic()
        if self.live is not None:
            self.live.console.print(f"tune: {line}", highlight=False)
        else:
            print(f"tune: {line}", file=sys.stdout, flush=True)


def reason_of(trial: Any) -> tuple[str, str]:
    """(one line, all that is known) about a Ray Tune trial whose worker could not say itself why it ended."""
    path = trial.error_file
    text = Path(path).read_text() if path and Path(path).exists() else ""
    # Ray heads each of a trial's failures with "Failure # n (occurred at ...)"; the last one is meant.
    last = text.rpartition("(occurred at")[2].partition("\n")[2].strip()
    lines = [line.strip() for line in last.splitlines() if line.strip()]
    if not lines:
        return "the worker process ended without a word", ""
    is_traceback = any(line.startswith("Traceback") for line in lines)
    return (lines[-1] if is_traceback else lines[0]), last

"""What happens in the driver while Ray Tune trains: a live table or plain lines, MLflow runs as they come.

The driver is the one writer of MLflow, and of the reasons of trials whose worker died before it could write its own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ray.tune import Callback
from rich.console import Console
from rich.live import Live

from pipeline.errors import UserError
from pipeline.progress import Progress, duration
from pipeline.store import Store
from pipeline.tracking import Tracker
from pipeline.trial import Trial, record_failure

__all__ = ["StudyCallback"]

PLAIN_SECONDS = 15.0
"""Between two status lines where there is no terminal."""


class StudyCallback(Callback):
    """Called by Ray Tune in the driver, as trials start, report and end."""

    def __init__(
        self, trials: Sequence[Trial], cost: Callable[[Trial], float], store: Store, tracker: Tracker
    ) -> None:
        """``cost``: what one step of a trial takes, in any unit."""
        console = Console()
        self.progress = Progress(trials, cost)
        self.store = store
        self.tracker = tracker
        self.live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self.printed = time.monotonic()
        self.started: dict[str, float] = {}
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
        ours = self.ours(trial)
        self.progress.running[ours.key] = {}
        self.started[ours.key] = time.time()
        self.track("start_trial", ours)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        state = self.progress.running.get(self.ours(trial).key)
        if state is not None:
            state.update({name: result[name] for name in ("step", "distortion", "rate") if name in result})

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        ours = self.ours(trial)
        result = self.store.result(ours.dataset, ours.key)
        self.progress.running.pop(ours.key, None)
        if result is None:  # stopped from outside; the run folder says what is there
            return
        self.progress.ended[ours.key] = result["status"]
        self.say(
            f"{len(self.progress.ended)}/{len(self.progress.trials)} {result['status']}: {ours.dataset} {ours.name}, "
            f"{duration(result['seconds'])}"
            + (f", {result['images_per_second']:.0f} images/s" if result["images_per_second"] else "")
        )
        self.track("finish_trial", ours, result, self.store.history(ours.dataset, ours.key))

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        ours = self.ours(trial)
        reason = self.note(ours, trial)
        self.progress.running.pop(ours.key, None)
        self.say(f"trying again: {ours.dataset} {ours.name}: {reason}")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        ours = self.ours(trial)
        reason = self.note(ours, trial)
        self.progress.running.pop(ours.key, None)
        self.progress.ended[ours.key] = "failed"
        self.say(f"failed: {ours.dataset} {ours.name}: {reason}")
        self.track("fail_trial", ours, reason)

    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        self.close()

    def close(self) -> None:
        """Show how it ended and give the terminal back; may be called twice."""
        if self.live is not None and self.live.is_started:
            self.live.update(self.progress.table(), refresh=True)
            self.live.stop()

    def ours(self, trial: Any) -> Trial:
        return self.progress.trials[Trial.from_config(trial.config["trial"]).key]

    def note(self, ours: Trial, trial: Any) -> str:
        """The reason of a failure: what the worker wrote, or, where it died too soon, what Ray knows."""
        path = self.store.run(ours.dataset, ours.key) / "failure.json"
        if not path.exists() or path.stat().st_mtime < self.started.get(ours.key, 0):
            record_failure(ours, self.store, *reason_of(trial))
        failure = self.store.failure(ours.dataset, ours.key)
        return failure["reason"] if failure else "unknown"

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

"""What one sees of a running study: a live table on a terminal, plain lines elsewhere; MLflow runs as they come.

A Ray Tune callback, called in the driver: the one writer of MLflow, and of the reasons of trials whose worker died
before it could write its own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from pipeline.errors import UserError
from pipeline.store import Store
from pipeline.tracking import Tracker
from pipeline.trial import Trial, record_failure

__all__ = ["Progress", "duration", "progress_callback"]

PLAIN_SECONDS = 15.0
"""Between two status lines where there is no terminal."""


def duration(seconds: float) -> str:
    """1 h 05 min, 3 min 20 s, 12 s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class Progress:
    """How far a study is: counts, the running trials, time left by the share of work done."""

    def __init__(self, trials: Sequence[Trial], cost: Callable[[Trial], float]) -> None:
        """``cost``: what one step of a trial takes, in any unit."""
        self.trials = {trial.key: trial for trial in trials}
        self.cost = cost
        self.began = time.monotonic()
        self.running: dict[str, dict[str, Any]] = {}
        self.ended: dict[str, str] = {}

    def work(self, key: str, step: int | None = None) -> float:
        """Of a trial up to a step, or in all."""
        trial = self.trials[key]
        return self.cost(trial) * (trial.training.steps if step is None else step)

    @property
    def seconds_left(self) -> float | None:
        """None while too little is known."""
        total = sum(self.work(key) for key in self.trials)
        done = sum(self.work(key) for key in self.ended)
        done += sum(self.work(key, state.get("step", 0)) for key, state in self.running.items())
        elapsed = time.monotonic() - self.began
        return elapsed * (total - done) / done if done > 0.02 * total and elapsed > 5 else None

    def line(self) -> str:
        """One line: finished of all, running, time."""
        failed = sum(status == "failed" for status in self.ended.values())
        left = self.seconds_left
        return ", ".join(
            filter(
                None,
                [
                    f"{len(self.ended)}/{len(self.trials)} trials ended",
                    f"{failed} failed" if failed else "",
                    f"{len(self.running)} running",
                    f"{duration(time.monotonic() - self.began)} so far",
                    f"about {duration(left)} left" if left is not None else "",
                ],
            )
        )

    def table(self) -> Group:
        """The line, and below it a row per running trial."""
        table = Table(box=None, pad_edge=False)
        for column in ("data set", "trial", "step", "distortion (nats)", "rate (nats)"):
            table.add_column(column, justify="left" if column in ("data set", "trial") else "right")
        for key, state in list(self.running.items())[:20]:
            trial = self.trials[key]
            values = [
                f"{state[name]:.2f}" if state.get(name) is not None else "" for name in ("distortion", "rate")
            ]
            table.add_row(
                trial.dataset, trial.name, f"{state.get('step', 0)}/{trial.training.steps}", *values
            )
        return Group(self.line(), table)


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


def progress_callback(
    trials: Sequence[Trial], cost: Callable[[Trial], float], store: Store, tracker: Tracker
) -> Any:
    """A ``ray.tune.Callback`` that shows, tracks and notes failures. (A function, so that Ray is imported late.)"""
    from ray.tune import Callback

    console = Console()

    class StudyCallback(Callback):
        def __init__(self) -> None:
            self.progress = Progress(trials, cost)
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
                state.update(
                    {name: result[name] for name in ("step", "distortion", "rate") if name in result}
                )

        def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            ours = self.ours(trial)
            result = store.result(ours.dataset, ours.key)
            self.progress.running.pop(ours.key, None)
            if result is None:  # stopped from outside; the run folder says what is there
                return
            self.progress.ended[ours.key] = result["status"]
            self.say(
                f"{len(self.progress.ended)}/{len(self.progress.trials)} {result['status']}: {ours.dataset} {ours.name}, "
                f"{duration(result['seconds'])}"
                + (f", {result['images_per_second']:.0f} images/s" if result["images_per_second"] else "")
            )
            self.track("finish_trial", ours, result, store.history(ours.dataset, ours.key))

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
            if self.live is not None:
                self.live.update(self.progress.table(), refresh=True)
                self.live.stop()

        def ours(self, trial: Any) -> Trial:
            return self.progress.trials[Trial.from_config(trial.config["trial"]).key]

        def note(self, ours: Trial, trial: Any) -> str:
            """The reason of a failure: what the worker wrote, or, where it died too soon, what Ray knows."""
            path = store.run(ours.dataset, ours.key) / "failure.json"
            if not path.exists() or path.stat().st_mtime < self.started.get(ours.key, 0):
                record_failure(ours, store, *reason_of(trial))
            failure = store.failure(ours.dataset, ours.key)
            return failure["reason"] if failure else "unknown"

        def track(self, method: str, *arguments: Any) -> None:
            """Tell MLflow; a store that is gone does not stop the training, the stage tries once more at its end."""
            if not self.tracking:
                return
            try:
                getattr(tracker, method)(*arguments)
            except UserError as error:
                self.tracking = False
                self.say(f"MLflow: {error} Training goes on; the runs are logged at the end.")

        def say(self, line: str) -> None:
            self.printed = time.monotonic()
            if self.live is not None:
                self.live.console.print(f"tune: {line}", highlight=False)
            else:
                print(f"tune: {line}", file=sys.stdout, flush=True)

    return StudyCallback()

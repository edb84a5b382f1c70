"""The progress of a study as the driver shows it: counts, the running trials, the time left."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table

from pipeline.study.trial import Trial
from pipeline.study.wording import duration

__all__ = ["Progress"]

ROWS = 20
"""Running trials that the table shows at most."""


class Progress:
    """Which trials are running and which have ended, and the time left by the share of work done."""

    def __init__(self, trials: Sequence[Trial], cost: Callable[[Trial], float]) -> None:
        """``cost``: the amount of computation of one step of a trial, in any unit."""
        self.trials = {trial.key: trial for trial in trials}
        self.cost = cost
        self.began = time.monotonic()
        self.running: dict[str, dict[str, Any]] = {}
        """Trial key -> step, distortion and rate of the last row; empty before the first."""
        self.ended: dict[str, str] = {}
        """Trial key -> status."""

    def work(self, key: str, step: int | None = None) -> float:
        """The amount of computation of a trial up to a step; None means its last step."""
        trial = self.trials[key]
        return self.cost(trial) * (trial.training.steps if step is None else step)

    @property
    def seconds_left(self) -> float | None:
        """An estimate; None while too little work is done."""
        total = sum(self.work(key) for key in self.trials)
        done = sum(self.work(key) for key in self.ended)
        done += sum(self.work(key, state.get("step", 0)) for key, state in self.running.items())
        elapsed = time.monotonic() - self.began
        return elapsed * (total - done) / done if done > 0.02 * total and elapsed > 5 else None

    def line(self) -> str:
        """One line: trials that have ended, failed and are running, time so far and left."""
        failed = sum(status == "failed" for status in self.ended.values())
        left = self.seconds_left
        parts = [
            f"{len(self.ended)}/{len(self.trials)} trials ended",
            f"{failed} failed" if failed else "",
            f"{len(self.running)} running",
            f"{duration(time.monotonic() - self.began)} so far",
            f"about {duration(left)} left" if left is not None else "",
        ]
        return ", ".join(filter(None, parts))

    def table(self) -> Group:
        """The line, and below it a row per running trial."""
        table = Table(box=None, pad_edge=False)
        for column in ("data set", "trial", "step", "distortion (nats)", "rate (nats)"):
            table.add_column(column, justify="left" if column in ("data set", "trial") else "right")
        for key, state in list(self.running.items())[:ROWS]:
            trial = self.trials[key]
            values = [
                f"{state[name]:.2f}" if state.get(name) is not None else "" for name in ("distortion", "rate")
            ]
            table.add_row(
                trial.dataset, trial.name, f"{state.get('step', 0)}/{trial.training.steps}", *values
            )
        return Group(self.line(), table)

"""How far a study is, as one sees it: counts, the running trials, the time left."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table

from pipeline.study.trial import Trial

__all__ = ["Progress", "duration"]


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

"""Groups of processes, and measurements of several of them in turns.

A group is ``layout.processes`` workers (``benchmarks.worker``) that do the same at the same time. What it reaches is the sum over its
workers, each over its own window of time, all windows begun behind a barrier. Only one group works at a time; the others wait.

A machine's speed drifts (clock, temperature, neighbours). So groups are measured in rounds, one after the other in each round, and what
is reported is the median over the rounds, with the lowest and the highest.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import worker
from benchmarks.contestants import Layout, Spec

__all__ = ["Entry", "Failed", "Group", "rounds"]


class Failed(RuntimeError):  # noqa: N818 - what a row of the table says
    """A group could not do what it was asked; the message is the reason in a line."""


class Group:
    """Worker processes of one layout. They start when it is made; ``ready`` waits until they have."""

    def __init__(self, layout: Layout, device: str, folder: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.barrier = context.Barrier(layout.processes)  # kept: its semaphores live as long as it does here
        self.layout = layout
        self.finished = context.Value("i", 0)
        self.failure = ""
        self.connections = []
        self.processes = []
        for _ in range(layout.processes):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=worker.main, args=(theirs, self.barrier, self.finished, layout.threads, device, folder)
            )
            process.start()
            theirs.close()
            self.connections.append(ours)
            self.processes.append(process)

    def ready(self) -> None:
        """Wait until all have started; if one has not, whatever is asked of the group fails with the reason."""
        try:
            self._answers()
        except Failed as failure:
            self.failure = str(failure)

    def ask(self, question: str, arguments: Sequence[Any]) -> list[dict[str, Any]]:
        """Every worker's answer to ``question`` about its argument. Raises Failed."""
        if self.failure:
            raise Failed(self.failure)
        self.finished.value = 0
        for connection, argument in zip(self.connections, arguments, strict=True):
            try:
                connection.send((question, argument))
            except OSError:
                raise Failed("the process ended (killed, perhaps out of memory)") from None
        return self._answers()

    def close(self) -> None:
        """End the processes."""
        for connection in self.connections:
            connection.close()
        for process in self.processes:
            process.join(10)
            if process.is_alive():
                process.terminate()
                process.join()

    def _answers(self) -> list[dict[str, Any]]:
        answers = []
        for connection in self.connections:
            try:
                answers.append(connection.recv())
            except (EOFError, OSError):
                answers.append({"failed": "the process ended (killed, perhaps out of memory)"})
        reasons = [answer["failed"] for answer in answers if "failed" in answer]
        if reasons:  # the others of the group only say that they waited in vain
            raise Failed(next((reason for reason in reasons if "BrokenBarrier" not in reason), reasons[0]))
        return answers


@dataclass
class Entry:
    """A contestant in a layout, and what was measured of it."""

    spec: Spec
    layout: Layout
    share_of_window: float = 1.0
    group: Group | None = None
    precision: str = ""
    per_step: float = 0.0
    rates: list[float] = field(default_factory=list)
    """Per round, the sum over processes: images/s, or operations/s."""
    memory: dict[str, int | None] = field(default_factory=dict)
    """Of the process that took most, in bytes."""
    failed: str = ""
    """Why there is nothing; empty if all went well."""

    def prepare(self, group: Group) -> None:
        """Let ``group`` make this entry; a failure is kept in ``failed``."""
        self.group = group

        def ask(group: Group) -> None:
            # seeds apart, so that no two processes train the same model
            specs = [
                replace(self.spec, seed=self.spec.seed + number * self.spec.pack)
                for number in range(self.layout.processes)
            ]
            answer = group.ask("prepare", specs)[0]
            self.precision, self.per_step = answer["precision"], answer["per_step"]

        self._attempt(ask)

    def measure(self, seconds: float) -> float | None:
        """One window: the rate, summed over the processes; None if it failed, now or before."""
        rate: float | None = None

        def ask(group: Group) -> None:
            nonlocal rate
            windows = group.ask("measure", [seconds * self.share_of_window] * self.layout.processes)
            rate = sum(window["steps"] * self.per_step / window["seconds"] for window in windows)

        self._attempt(ask)
        return rate

    def finish(self) -> None:
        """Note the memory and end the processes."""

        def ask(group: Group) -> None:
            answers = group.ask("memory", [None] * self.layout.processes)
            for name in answers[0]:
                values = [answer[name] for answer in answers if answer[name] is not None]
                self.memory[name] = max(values, default=None)

        self._attempt(ask)
        self.drop()

    def drop(self) -> None:
        """End the processes."""
        if self.group is not None:
            self.group.close()
            self.group = None

    @property
    def rate(self) -> float | None:
        """The median over the rounds."""
        return median(self.rates) if self.rates else None

    def _attempt(self, ask: Callable[[Group], None]) -> None:
        if self.group is None or self.failed:
            return
        try:
            ask(self.group)
        except Failed as failure:
            self.failed = str(failure)
            self.drop()


def rounds(entries: Sequence[Entry], number: int, seconds: float) -> None:
    """Measure every entry ``number`` times, in turns."""
    for _ in range(number):
        for entry in entries:
            rate = entry.measure(seconds)
            if rate is not None:
                entry.rates.append(rate)

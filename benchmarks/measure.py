"""Groups of worker processes, and measurements of several groups in turns.

A group is ``layout.processes`` workers (``benchmarks.worker``) that do the same at the same time. Its rate is
the sum over its workers, each over its own window of time; a barrier makes all windows begin together. Only
one group works at a time; the others wait.

The speed of a machine drifts (clock, temperature, other load). Therefore groups are measured in rounds, one
after the other in each round. A result is the median over the rounds, with the lowest and the highest value.
"""

from __future__ import annotations

import multiprocessing
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import worker
from benchmarks.contestants import Layout, Spec

__all__ = ["Entry", "Failed", "Group", "Groups", "rounds"]


class Failed(RuntimeError):  # noqa: N818 - what a row of the table says
    """A group could not carry out a request; the message is the reason in a line."""


class Group:
    """Worker processes of one layout. They start at once; ``ready`` waits until they have started."""

    def __init__(self, layout: Layout, device: str, folder: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.barrier = context.Barrier(
            layout.processes
        )  # kept: its semaphores live as long as this reference
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
        """Wait until all processes have started. If one has not, every request fails with the reason."""
        try:
            self._replies()
        except Failed as failure:
            self.failure = str(failure)

    def request(self, name: str, arguments: Sequence[Any]) -> list[dict[str, Any]]:
        """Send each worker the request ``name`` with its argument and return their replies. Raises Failed."""
        if self.failure:
            raise Failed(self.failure)
        self.finished.value = 0
        for connection, argument in zip(self.connections, arguments, strict=True):
            try:
                connection.send((name, argument))
            except OSError:
                raise Failed("the process ended (killed, perhaps out of memory)") from None
        return self._replies()

    def close(self) -> None:
        """End the processes."""
        for connection in self.connections:
            connection.close()
        for process in self.processes:
            process.join(10)
            if process.is_alive():
                process.terminate()
                process.join()

    def _replies(self) -> list[dict[str, Any]]:
        replies = []
        for connection in self.connections:
            try:
                replies.append(connection.recv())
            except (EOFError, OSError):
                replies.append({"failed": "the process ended (killed, perhaps out of memory)"})
        reasons = [reply["failed"] for reply in replies if "failed" in reply]
        if reasons:  # if one worker fails, the others only report a broken barrier
            raise Failed(next((reason for reason in reasons if "BrokenBarrier" not in reason), reasons[0]))
        return replies


class Groups:
    """Groups that are started before the measurements, all at once; leaving the context ends all of them.

    A process takes seconds to import PyTorch and to open a GPU, and disturbs a measurement meanwhile.
    """

    def __init__(self, device: str, folder: Path) -> None:
        self.device, self.folder = device, folder
        self.started: list[Group] = []
        self.unused: dict[Layout, list[Group]] = defaultdict(list)

    def __enter__(self) -> Groups:
        return self

    def __exit__(self, *_: object) -> None:
        for group in self.started:
            group.close()

    def start(self, layouts: Sequence[Layout]) -> None:
        """Start a group for each of ``layouts``, and wait until all have started."""
        first = len(self.started)
        for layout in layouts:
            self.started.append(Group(layout, self.device, self.folder))
        for group in self.started[first:]:
            group.ready()
            self.unused[group.layout].append(group)

    def take(self, layout: Layout) -> Group:
        """An unused group of ``layout``; if there is none, it is started."""
        if not self.unused[layout]:
            self.start([layout])
        return self.unused[layout].pop()

    def close_unused(self) -> None:
        """End the groups that nobody has taken."""
        for groups in self.unused.values():
            while groups:
                groups.pop().close()


@dataclass
class Entry:
    """A contestant in a layout, and its measurements."""

    spec: Spec
    layout: Layout
    share_of_window: float = 1.0
    group: Group | None = None
    precision: str = ""
    per_step: float = 0.0
    rates: list[float] = field(default_factory=list)
    """Per round, the sum over processes: images/s, or operations/s."""
    memory: dict[str, int | None] = field(default_factory=dict)
    """Peak of memory in bytes, of the process with the highest peak."""
    failed: str = ""
    """Why the entry failed; empty if it did not."""

    def prepare(self, group: Group) -> None:
        """Let ``group`` build this entry; a failure is kept in ``failed``."""
        self.group = group

        def prepare(group: Group) -> None:
            # different seeds, so that no two processes train the same model
            specs = [
                replace(self.spec, seed=self.spec.seed + number * self.spec.pack)
                for number in range(self.layout.processes)
            ]
            reply = group.request("prepare", specs)[0]
            self.precision, self.per_step = reply["precision"], reply["per_step"]

        self._attempt(prepare)

    def measure(self, seconds: float) -> float | None:
        """The rate over one window, summed over the processes; None if the entry failed, now or before."""
        rate: float | None = None

        def measure(group: Group) -> None:
            nonlocal rate
            windows = group.request("measure", [seconds * self.share_of_window] * self.layout.processes)
            rate = sum(window["steps"] * self.per_step / window["seconds"] for window in windows)

        self._attempt(measure)
        return rate

    def finish(self) -> None:
        """Record the peak of memory and end the processes."""

        def record_memory(group: Group) -> None:
            replies = group.request("memory", [None] * self.layout.processes)
            for name in replies[0]:
                values = [reply[name] for reply in replies if reply[name] is not None]
                self.memory[name] = max(values, default=None)

        self._attempt(record_memory)
        self._close()

    @property
    def rate(self) -> float | None:
        """The median over the rounds."""
        return median(self.rates) if self.rates else None

    def _close(self) -> None:
        if self.group is not None:
            self.group.close()
            self.group = None

    def _attempt(self, action: Callable[[Group], None]) -> None:
        if self.group is None or self.failed:
            return
        try:
            action(self.group)
        except Failed as failure:
            self.failed = str(failure)
            self._close()


def rounds(entries: Sequence[Entry], number: int, seconds: float) -> None:
    """Measure every entry ``number`` times, in turns."""
    for _ in range(number):
        for entry in entries:
            rate = entry.measure(seconds)
            if rate is not None:
                entry.rates.append(rate)

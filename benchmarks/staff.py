"""Groups of processes started ahead, all at once: importing PyTorch and opening a GPU takes seconds, and disturbs what is measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contestants import Layout
from benchmarks.measure import Group

__all__ = ["Staff"]


class Staff:
    def __init__(self, device: str, folder: Path) -> None:
        self.device, self.folder = device, folder
        self.waiting: dict[Layout, list[Group]] = defaultdict(list)

    def start(self, layouts: Sequence[Layout]) -> None:
        """Start a group for each of ``layouts``, and wait until all have started."""
        started = [Group(layout, self.device, self.folder) for layout in layouts]
        for group in started:
            self.waiting[group.layout].append(group)
        for group in started:
            group.ready()

    def take(self, layout: Layout) -> Group:
        """A group that is ready; the caller closes it."""
        if not self.waiting[layout]:
            self.start([layout])
        return self.waiting[layout].pop()

    def dismiss(self) -> None:
        """End those that nobody took."""
        for groups in self.waiting.values():
            while groups:
                groups.pop().close()

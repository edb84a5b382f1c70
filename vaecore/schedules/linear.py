"""A straight line.

    s = u,   u = clip((t - delay) / steps, 0, 1)

A warm-up of β is ``{schedule: linear, from: 0, to: 4, steps: 10000}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from vaecore.options import Option
from vaecore.schedules import DELAY, END, START, STEPS, Moving, Number, clip

__all__ = ["Linear"]


@dataclass(frozen=True)
class Linear(Moving):
    options: ClassVar[Mapping[str, Option]] = {"from": START, "to": END, "steps": STEPS, "delay": DELAY}

    from_: float
    to: float
    steps: float
    delay: float

    def progress(self, step: Number) -> Number:
        return clip((step - self.delay) / self.steps)

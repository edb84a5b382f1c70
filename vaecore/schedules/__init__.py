"""Schedules: values that are pure functions of the step, one file each.

t counts updates from 1: update t uses v(t), so the last update of a run of T steps uses v(T). Steps are
numbers of updates. Values have the unit of the option that is scheduled. In params.yaml a schedule is a
number or a mapping such as ``{schedule: linear, from: 0, to: 25, steps: 100000}``.

Schedules that move from one value to another share

    v(t) = from + (to - from) s(t),   s in [0, 1],   u = clip((t - delay) / steps, 0, 1)

``delay``, 0 by default, holds ``from`` for that many steps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor

from vaecore.members import Folder
from vaecore.options import Option

__all__ = ["DELAY", "END", "SCHEDULES", "START", "STEPS", "Moving", "Schedule", "clip", "names", "schedule"]

Number = TypeVar("Number", float, Tensor)

START = Option("value at the start")
END = Option("value at the end")
STEPS = Option("updates from start to end", unit="steps", above=0)
DELAY = Option("updates before it starts to move", unit="steps", default=0, low=0)


class Schedule(ABC):
    """A function of the step, int -> float or Tensor -> Tensor, that keeps no state."""

    options: ClassVar[Mapping[str, Option]] = {}

    @abstractmethod
    def __call__(self, step: Number) -> Number:
        """The value at ``step``."""

    @abstractmethod
    def extremes(self) -> tuple[float, float]:
        """The smallest and the largest value that it can take at any step."""


class Moving(Schedule):
    """A schedule that goes from one value to another: v = from + (to - from) s."""

    from_: float
    to: float

    @abstractmethod
    def progress(self, step: Number) -> Number:
        """s in [0, 1] at ``step``."""

    def __call__(self, step: Number) -> Number:
        return self.from_ + (self.to - self.from_) * self.progress(step)

    def extremes(self) -> tuple[float, float]:
        return min(self.from_, self.to), max(self.from_, self.to)


def clip(u: Number) -> Number:
    """u held within [0, 1]."""
    return torch.clamp(u, 0.0, 1.0) if isinstance(u, Tensor) else min(max(u, 0.0), 1.0)


SCHEDULES = Folder(__name__, Schedule, "schedule", "schedules", key="schedule")
names = SCHEDULES.names


def schedule(value: float | Mapping[str, Any]) -> Schedule:
    """The schedule of a ``value``: a number, or ``{schedule: kind, ...}`` with the kind's options.

    Raises:
        ValueError: an unknown kind or option, a missing option, or a value that is not allowed; the message
            lists what is.
    """
    if not isinstance(value, Mapping):
        value = {"schedule": "constant", "value": value}
    return SCHEDULES.make(value)

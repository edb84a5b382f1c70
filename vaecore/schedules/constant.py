"""The same value at every step.

    v(t) = value

A plain number is short for this schedule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from vaecore.options import Option
from vaecore.schedules import Number, Schedule

__all__ = ["Constant"]


@dataclass(frozen=True)
class Constant(Schedule):
    options: ClassVar[Mapping[str, Option]] = {"value": Option("the value")}

    value: float

    def __call__(self, step: Number) -> Number:
        if isinstance(step, Tensor):
            return torch.full_like(step, self.value, dtype=torch.float32)
        return self.value

    def extremes(self) -> tuple[float, float]:
        return self.value, self.value

"""A ramp that starts again in every cycle.

    s = min(u / ratio, 1),   u = ((t - delay) mod period) / period

H. Fu, C. Li, X. Liu, J. Gao, A. Celikyilmaz, L. Carin, Cyclical Annealing Schedule: A Simple Approach to
Mitigating KL Vanishing, 2019, arXiv:1903.10145.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from vaecore.options import Option
from vaecore.schedules import DELAY, END, START, Moving, Number, clip

__all__ = ["Cyclical"]


@dataclass(frozen=True)
class Cyclical(Moving):
    options: ClassVar[Mapping[str, Option]] = {
        "from": START,
        "to": END,
        "period": Option("updates of a cycle", unit="steps", above=0),
        "ratio": Option("part of a cycle in which the value moves", default=0.5, above=0, high=1),
        "delay": DELAY,
    }

    from_: float
    to: float
    period: float
    ratio: float
    delay: float

    def progress(self, step: Number) -> Number:
        after = step - self.delay
        after = torch.clamp(after, min=0) if isinstance(after, Tensor) else max(after, 0)
        return clip((after % self.period) / (self.period * self.ratio))

"""Half a cosine wave, flat at both ends.

    s = (1 - cos(π u)) / 2,   u = clip((t - delay) / steps, 0, 1)

I. Loshchilov, F. Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2017, arXiv:1608.03983.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from vaecore.options import Option
from vaecore.schedules import DELAY, END, START, STEPS, Moving, Number, clip

__all__ = ["Cosine"]


@dataclass(frozen=True)
class Cosine(Moving):
    options: ClassVar[Mapping[str, Option]] = {"from": START, "to": END, "steps": STEPS, "delay": DELAY}

    from_: float
    to: float
    steps: float
    delay: float

    def progress(self, step: Number) -> Number:
        u = math.pi * clip((step - self.delay) / self.steps)
        return (1 - (torch.cos(u) if isinstance(u, Tensor) else math.cos(u))) / 2

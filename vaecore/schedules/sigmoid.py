"""A logistic curve that meets both ends exactly.

    s = (σ(k (u - ½)) - σ(-k/2)) / (σ(k/2) - σ(-k/2)),   u = clip((t - delay) / steps, 0, 1)

    σ    the logistic function
    k    the steepness

S. R. Bowman, L. Vilnis, O. Vinyals, A. M. Dai, R. Jozefowicz, S. Bengio, Generating Sentences from a
Continuous Space, 2016, arXiv:1511.06349 (annealing of the KL weight).
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

__all__ = ["Sigmoid"]


@dataclass(frozen=True)
class Sigmoid(Moving):
    options: ClassVar[Mapping[str, Option]] = {
        "from": START,
        "to": END,
        "steps": STEPS,
        "delay": DELAY,
        "steepness": Option("steepness of the curve", symbol="k", default=12, above=0),
    }

    from_: float
    to: float
    steps: float
    delay: float
    steepness: float

    def progress(self, step: Number) -> Number:
        # σ(k(u-½)) is ½(1 + tanh(k(u-½)/2)): the rescaled logistic is a ratio of tanh, which cannot overflow
        a = (clip((step - self.delay) / self.steps) - 0.5) * (self.steepness / 2)
        return 0.5 + 0.5 * (torch.tanh(a) if isinstance(a, Tensor) else math.tanh(a)) / math.tanh(
            self.steepness / 4
        )

"""Schedules: values that are pure functions of the step.

With u = clip((t - delay) / steps, 0, 1) the progress at step t, a schedule that moves takes the values

    v(t) = from + (to - from) s(u)

    linear      s(u) = u
    cosine      s(u) = (1 - cos(π u)) / 2                                     flat at both ends
    sigmoid     s(u) = (σ(k (u - ½)) - σ(-k/2)) / (σ(k/2) - σ(-k/2))          σ the logistic function, k the steepness;
                                                                              rescaled so that both ends are met exactly
    cyclical    s = min(u / ratio, 1) with u = ((t - delay) mod period) / period, for ever
    constant    v(t) = value

t counts updates from 1: update t uses v(t), so the last update of a run of T steps uses v(T). ``delay`` (0 unless given)
holds ``from`` for that many steps. Steps are numbers of updates; values have the unit of what they schedule.

Written in a configuration as a number, or as ``{schedule: linear, from: 0, to: 25, steps: 100000}``.

Sources: sigmoid annealing of the KL weight, S. R. Bowman, L. Vilnis, O. Vinyals, A. M. Dai, R. Jozefowicz, S. Bengio, Generating
Sentences from a Continuous Space, 2016, arXiv:1511.06349. Cyclical: H. Fu, C. Li, X. Liu, J. Gao, A. Celikyilmaz, L. Carin, Cyclical
Annealing Schedule: A Simple Approach to Mitigating KL Vanishing, 2019, arXiv:1903.10145. Cosine: I. Loshchilov, F. Hutter, SGDR:
Stochastic Gradient Descent with Warm Restarts, 2017, arXiv:1608.03983.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import torch
from torch import Tensor

__all__ = ["Constant", "Cosine", "Cyclical", "Linear", "Schedule", "Sigmoid", "names", "schedule"]

Number = TypeVar("Number", float, Tensor)


class Schedule(ABC):
    """A function of the step, int -> float or Tensor -> Tensor, that keeps no state."""

    @abstractmethod
    def __call__(self, step: Number) -> Number:
        """The value at ``step``."""

    @abstractmethod
    def extremes(self) -> tuple[float, float]:
        """The smallest and the largest value that it can take at any step."""


@dataclass(frozen=True)
class Constant(Schedule):
    value: float

    def __call__(self, step: Number) -> Number:
        return (
            torch.full_like(step, self.value, dtype=torch.float32) if isinstance(step, Tensor) else self.value
        )

    def extremes(self) -> tuple[float, float]:
        return self.value, self.value


class _Moving(Schedule):
    """What every schedule that goes from one value to another shares: v = from + (to - from) s."""

    start: float
    end: float
    delay: int

    @abstractmethod
    def progress(self, step: Number) -> Number:
        """s in [0, 1] at ``step``."""

    def __call__(self, step: Number) -> Number:
        return self.start + (self.end - self.start) * self.progress(step)

    def extremes(self) -> tuple[float, float]:
        return min(self.start, self.end), max(self.start, self.end)


@dataclass(frozen=True)
class Linear(_Moving):
    start: float
    end: float
    steps: int
    delay: int = 0

    def progress(self, step: Number) -> Number:
        return _clip((step - self.delay) / self.steps)


@dataclass(frozen=True)
class Cosine(_Moving):
    start: float
    end: float
    steps: int
    delay: int = 0

    def progress(self, step: Number) -> Number:
        u = math.pi * _clip((step - self.delay) / self.steps)
        return (1 - (torch.cos(u) if isinstance(u, Tensor) else math.cos(u))) / 2


@dataclass(frozen=True)
class Sigmoid(_Moving):
    start: float
    end: float
    steps: int
    delay: int = 0
    steepness: float = 12.0

    def progress(self, step: Number) -> Number:
        # σ(k(u-½)) is ½(1 + tanh(k(u-½)/2)), which turns the rescaled logistic into a ratio of tanh that cannot overflow
        a = (_clip((step - self.delay) / self.steps) - 0.5) * (self.steepness / 2)
        return 0.5 + 0.5 * (torch.tanh(a) if isinstance(a, Tensor) else math.tanh(a)) / math.tanh(
            self.steepness / 4
        )


@dataclass(frozen=True)
class Cyclical(_Moving):
    start: float
    end: float
    period: int
    ratio: float = 0.5
    delay: int = 0

    def progress(self, step: Number) -> Number:
        after = step - self.delay
        after = torch.clamp(after, min=0) if isinstance(after, Tensor) else max(after, 0)
        return _clip((after % self.period) / (self.period * self.ratio))


def _clip(u: Number) -> Number:
    return torch.clamp(u, 0.0, 1.0) if isinstance(u, Tensor) else min(max(u, 0.0), 1.0)


KINDS: dict[str, type[Any]] = {
    "constant": Constant,
    "linear": Linear,
    "cosine": Cosine,
    "cyclical": Cyclical,
    "sigmoid": Sigmoid,
}
WRITTEN = {"start": "from", "end": "to"}  # `from` is a Python keyword, so the fields have names of their own
ABOVE_ZERO = ("steps", "period", "ratio", "steepness")


def names() -> list[str]:
    """The kinds of schedule that a configuration can name."""
    return sorted(KINDS)


def schedule(value: float | Mapping[str, Any]) -> Schedule:
    """The schedule that a configuration's ``value`` describes: a number, or ``{schedule: kind, ...}`` with the kind's keys.

    Raises a ValueError for an unknown kind or key (listing what exists), a missing key, or a value out of range.
    """
    if not isinstance(value, Mapping):
        return Constant(_number("value", value))
    kind = value.get("schedule")
    if kind not in KINDS:
        raise ValueError(f"unknown schedule {kind!r}; the schedules are: {', '.join(names())}")
    cls = KINDS[kind]
    keys = {WRITTEN.get(field.name, field.name): field for field in fields(cls)}
    given = {key: entry for key, entry in value.items() if key != "schedule"}
    if unknown := [key for key in given if key not in keys]:
        raise ValueError(f"schedule {kind!r} has no key {unknown[0]!r}; its keys are: {', '.join(keys)}")
    required = [key for key in keys if key not in ("delay", "steepness", "ratio")]
    if missing := [key for key in required if key not in given]:
        raise ValueError(f"schedule {kind!r} needs {missing[0]!r}; its keys are: {', '.join(keys)}")
    numbers = {key: _number(f"{kind}.{key}", entry) for key, entry in given.items()}
    for key, number in numbers.items():
        if key in ABOVE_ZERO and number <= 0:
            raise ValueError(f"schedule {kind!r}: {key!r} must be above 0, got {number:g}")
        if key == "ratio" and number > 1:
            raise ValueError(
                f"schedule {kind!r}: 'ratio' is the part of a period spent moving, at most 1, got {number:g}"
            )
        if key == "delay" and number < 0:
            raise ValueError(f"schedule {kind!r}: 'delay' must be ≥ 0 steps, got {number:g}")
    return cls(**{keys[key].name: number for key, number in numbers.items()})


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"schedule: {name!r} must be a finite number, got {value!r}")
    return float(value)

"""What a family says about each of its hyper-parameters: meaning, unit, default and bounds.

A family declares ``{"beta": Hyperparameter("weight of the rate", low=0, scheduled=True)}``; whoever reads a configuration
checks it with ``Hyperparameter.check`` and whoever documents a family prints the fields. Bounds hold for numbers and for
every value that a schedule takes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vaecore.schedules import schedule

__all__ = ["Hyperparameter", "check_all"]


@dataclass(frozen=True)
class Hyperparameter:
    """One hyper-parameter of a family. A hyper-parameter with ``choices`` is a word, any other one a number."""

    meaning: str
    """One line, for documentation and error messages."""
    unit: str = ""
    """``"nats"``, ``"1/step"``, ...; empty for a pure number."""
    default: float | str | None = None
    """Value when the configuration says nothing; ``None``: the configuration has to say."""
    low: float | None = None
    """Smallest value allowed, inclusive."""
    high: float | None = None
    """Largest value allowed, inclusive."""
    scheduled: bool = False
    """Whether it may change with the step, written as ``{schedule: linear, from: 0, to: 4, steps: 10000}``."""
    choices: tuple[str, ...] = ()
    """The words allowed; empty for a number."""
    whole: bool = False
    """Whether only whole numbers make sense (a width, a count)."""

    def check(self, name: str, value: object) -> None:
        """Raise a ValueError naming the hyper-parameter, the value found and what is allowed; return nothing if all is well."""
        if self.choices:
            if value not in self.choices:
                raise ValueError(
                    f"{name!r} ({self.meaning}) must be one of {', '.join(self.choices)}, got {value!r}"
                )
        elif isinstance(value, Mapping):
            if not self.scheduled:
                raise ValueError(
                    f"{name!r} ({self.meaning}) cannot change with the step: give a number, got {dict(value)!r}"
                )
            try:
                extremes = schedule(value).extremes()
            except ValueError as error:
                raise ValueError(f"{name!r} ({self.meaning}): {error}") from None
            for extreme in extremes:
                self._check_number(name, extreme, f" in {dict(value)!r}")
        else:
            self._check_number(name, value)

    def _check_number(self, name: str, value: object, where: str = "") -> None:
        allowed = "a whole number" if self.whole else "a finite number"
        if self.low is not None:
            allowed += f" ≥ {self.low:g}"
        if self.high is not None:
            allowed += f"{' and' if self.low is not None else ''} ≤ {self.high:g}"
        allowed += f" {self.unit}" if self.unit else ""
        allowed += " or a {schedule: ...} mapping" if self.scheduled and not where else ""
        good = (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and math.isfinite(value)
            and (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (not self.whole or value == int(value))
        )
        if not good:
            raise ValueError(f"{name!r} ({self.meaning}) must be {allowed}, got {value!r}{where}")


def check_all(owner: str, declared: Mapping[str, Hyperparameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """Check ``given`` against ``declared`` and return it completed with the defaults, in the order of declaration.

    Raises a ValueError that names ``owner`` for an unknown, a missing or an unallowed hyper-parameter.
    """
    unknown = [name for name in given if name not in declared]
    if unknown:
        exist = ", ".join(declared) or "none"
        raise ValueError(
            f"{owner}: unknown hyper-parameter {unknown[0]!r}; its hyper-parameters are: {exist}"
        )
    complete = {}
    for name, hyperparameter in declared.items():
        value = given.get(name, hyperparameter.default)
        if value is None:
            raise ValueError(
                f"{owner}: hyper-parameter {name!r} ({hyperparameter.meaning}) is missing and has no default"
            )
        try:
            hyperparameter.check(name, value)
        except ValueError as error:
            raise ValueError(f"{owner}: {error}") from None
        complete[name] = value
    return complete

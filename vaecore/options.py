"""Options: what a member says about each of its settings (meaning, unit, default, bounds), and the one check of them all.

A member declares ``options = {"beta": Option("weight of the rate", low=0, scheduled=True)}``. Whoever reads a configuration
checks it with ``complete``; whoever documents a member prints the fields. Bounds hold for numbers and for every value that a
schedule takes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Option", "complete"]


@dataclass(frozen=True)
class Option:
    """One setting of a member: a number, unless ``words`` or ``several`` say otherwise."""

    meaning: str
    """One line, for documentation and error messages. It may be reworded: it is not part of any trial's key."""
    symbol: str = ""
    """As the papers write it: β. Empty where they have none."""
    unit: str = ""
    """``"nats"``, ``"steps"``, ...; empty for a pure number."""
    default: Any = None
    """Value when the configuration says nothing; ``None``: the configuration has to say."""
    low: float | None = None
    """Smallest number allowed, inclusive."""
    above: float | None = None
    """Largest number that is too small: a bound that is not allowed itself."""
    high: float | None = None
    """Largest number allowed, inclusive."""
    whole: bool = False
    """Whether only whole numbers make sense (a width, a count)."""
    scheduled: bool = False
    """Whether it may change with the step, written as ``{schedule: linear, from: 0, to: 4, steps: 10000}``."""
    words: tuple[str, ...] = ()
    """Words allowed beside numbers, or, unless ``number``, in their place."""
    number: bool = True
    """Whether a number is allowed."""
    several: bool = False
    """Whether the value is a list of such numbers; it may be empty."""

    def check(self, name: str, value: object) -> None:
        """Raise a ValueError that names the option, the value found and what is allowed."""
        said = f"{name!r} ({self.meaning})"
        if isinstance(value, Mapping):
            if not self.scheduled:
                raise ValueError(
                    f"{said} cannot change with the step: give {self.allowed()}, got {dict(value)!r}"
                )
            from vaecore.schedules import schedule  # schedules have options themselves

            try:
                extremes = schedule(value).extremes()
            except ValueError as error:
                raise ValueError(f"{said}: {error}") from None
            for extreme in extremes:
                if not self._good(extreme):
                    raise ValueError(f"{said} must be {self.allowed()}, got {extreme!r} in {dict(value)!r}")
            return
        good = isinstance(value, str) and value in self.words
        if self.several:
            listed = isinstance(value, Sequence) and not isinstance(value, str)
            good = good or (listed and all(map(self._good, value)))  # type: ignore[call-overload]
        elif self.number:
            good = good or self._good(value)
        if not good:
            mapping = " or a {schedule: ...} mapping" if self.scheduled else ""
            raise ValueError(f"{said} must be {self.allowed()}{mapping}, got {value!r}")

    def allowed(self) -> str:
        """What a value may be, in words."""
        if not self.number:
            return f"one of {', '.join(self.words)}"
        bounds = [
            f"{sign} {bound:g}"
            for sign, bound in (("≥", self.low), (">", self.above), ("≤", self.high))
            if bound is not None
        ]
        kind = ("whole number" if self.whole else "finite number") + ("s" if self.several else "")
        text = f"a list of {kind}" if self.several else f"a {kind}"
        text += f" {' and '.join(bounds)}" if bounds else ""
        text += f" {self.unit}" if self.unit else ""
        return " or ".join([text, *self.words])

    def canonical(self, value: Any) -> Any:
        """An allowed value in its one form: 4, 4.0 and a constant schedule are one number, a tuple and a list one list."""
        if isinstance(value, str):
            return value
        if isinstance(value, Mapping):
            from vaecore.schedules import SCHEDULES

            shortest = SCHEDULES.canonical(value)
            return shortest["value"] if shortest["schedule"] == "constant" else shortest
        if self.several:
            return [self._number(each) for each in value]
        return self._number(value)

    def _good(self, value: object) -> bool:
        return (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and math.isfinite(value)
            and (self.low is None or value >= self.low)
            and (self.above is None or value > self.above)
            and (self.high is None or value <= self.high)
            and (not self.whole or value == int(value))
        )

    def _number(self, value: float) -> float:
        return int(value) if self.whole else float(value)


def complete(owner: str, declared: Mapping[str, Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """Check ``given`` against ``declared`` and return it in canonical form, defaults filled in, in the order of declaration.

    Raises a ValueError that names ``owner`` for an unknown, a missing or a disallowed option.
    """
    unknown = [name for name in given if name not in declared]
    if unknown:
        exist = ", ".join(map(str, declared)) or "none"
        raise ValueError(f"{owner}: unknown option {unknown[0]!r}; its options are: {exist}")
    values = {}
    for name, option in declared.items():
        value = given.get(name, option.default)
        if value is None:
            raise ValueError(f"{owner}: option {name!r} ({option.meaning}) is missing and has no default")
        try:
            option.check(name, value)
        except ValueError as error:
            raise ValueError(f"{owner}: {error}") from None
        values[name] = option.canonical(value)
    return values

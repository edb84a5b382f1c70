"""Options: a member's declaration of its settings (meaning, unit, default, bounds), and the check of values.

A member declares ``options = {"beta": Option("weight of the rate", low=0, scheduled=True)}``. ``complete``
checks a configuration against the declaration, and documentation prints its fields. Bounds hold for numbers
and for every value of a schedule.
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
    """One line, for documentation and error messages. It may be reworded: no trial's key contains it."""
    symbol: str = ""
    """As the papers write it: β. Empty if they have none."""
    unit: str = ""
    """``"nats"``, ``"steps"``, ...; empty for a pure number."""
    default: Any = None
    """The value when the configuration has none; ``None``: the configuration must have one."""
    low: float | None = None
    """A lower bound, inclusive."""
    above: float | None = None
    """A lower bound, exclusive."""
    high: float | None = None
    """An upper bound, inclusive."""
    whole: bool = False
    """Whether only whole numbers are allowed (a width, a count)."""
    scheduled: bool = False
    """Whether it may change with the step: ``{schedule: linear, from: 0, to: 4, steps: 10000}``."""
    words: tuple[str, ...] = ()
    """Words that are allowed, beside numbers or, unless ``number``, instead of them."""
    number: bool = True
    """Whether a number is allowed."""
    several: bool = False
    """Whether the value is a list of such numbers; it may be empty."""

    def check(self, name: str, value: object) -> None:
        """Raise a ValueError that names the option, the value found and what is allowed."""
        option = f"{name!r} ({self.meaning})"
        if isinstance(value, Mapping):
            if not self.scheduled:
                raise ValueError(
                    f"{option} cannot change with the step: give {self.allowed()}, got {dict(value)!r}"
                )
            from vaecore.schedules import schedule  # schedules have options themselves

            try:
                extremes = schedule(value).extremes()
            except ValueError as error:
                raise ValueError(f"{option}: {error}") from None
            for extreme in extremes:
                if not self._good(extreme):
                    raise ValueError(f"{option} must be {self.allowed()}, got {extreme!r} in {dict(value)!r}")
            return
        good = isinstance(value, str) and value in self.words
        if self.several:
            listed = isinstance(value, Sequence) and not isinstance(value, str)
            good = good or (listed and all(map(self._good, value)))  # type: ignore[call-overload]
        elif self.number:
            good = good or self._good(value)
        if not good:
            mapping = " or a {schedule: ...} mapping" if self.scheduled else ""
            raise ValueError(f"{option} must be {self.allowed()}{mapping}, got {value!r}")

    def allowed(self) -> str:
        """The allowed values, in words."""
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
        """The one form of an allowed value: 4, 4.0 and a constant schedule are one number."""
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


def complete(owner: str, declared: Mapping[str, Option], values: Mapping[str, Any]) -> dict[str, Any]:
    """Check ``values`` against ``declared``; return them in canonical form and order, defaults filled in.

    Raises:
        ValueError: an unknown, a missing or a disallowed option of ``owner``.
    """
    unknown = [name for name in values if name not in declared]
    if unknown:
        exist = ", ".join(map(str, declared)) or "none"
        raise ValueError(f"{owner}: unknown option {unknown[0]!r}; its options are: {exist}")
    completed = {}
    for name, option in declared.items():
        value = values.get(name, option.default)
        if value is None:
            raise ValueError(f"{owner}: option {name!r} ({option.meaning}) is missing and has no default")
        try:
            option.check(name, value)
        except ValueError as error:
            raise ValueError(f"{owner}: {error}") from None
        completed[name] = option.canonical(value)
    return completed

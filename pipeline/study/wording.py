"""How values are written for people, in names of runs, reports and log lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["duration", "ends", "short"]


def duration(seconds: float) -> str:
    """1 h 05 min, 3 min 20 s, 12 s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def short(value: Any) -> str:
    """The value of a setting: 4, linear(0→25), mlp(256-256)."""
    if isinstance(value, Mapping) and "schedule" in value:
        return f"{value['schedule']}({ends(value)})"
    if isinstance(value, Mapping):
        options = ", ".join(short(each) for name, each in value.items() if name != "name")
        return f"{value['name']}({options})" if options else str(value["name"])
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "-".join(short(each) for each in value) or "linear"
    return f"{value:g}" if isinstance(value, float) else str(value)


def ends(schedule: Mapping[str, Any]) -> str:
    """The first and the last value of a schedule: 0→25; empty if it has none."""
    return "→".join(f"{schedule[end]:g}" for end in ("from", "to") if end in schedule)

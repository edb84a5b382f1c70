"""The style of all figures: colours, markers and line styles, axes, an empty figure, ranges of values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import plotly.graph_objects as go

from pipeline.reporting.outcome import Study
from pipeline.study.settings import BASELINE

__all__ = ["Look", "axis", "blank", "dashes", "logarithmic", "look", "padded"]

COLOURS = 8
"""Custom properties --family-0 to --family-7; a ninth family has the first colour and another marker."""
SYMBOLS = (
    "circle",
    "square",
    "diamond",
    "triangle-up",
    "triangle-down",
    "hexagon",
    "star",
    "pentagon",
    "hourglass",
)


DASHES = {
    "solid": "solid",
    "dash": "dashed",
    "dot": "dotted",
    "dashdot": "dash-dotted",
    "longdash": "long-dashed",
}
"""Plotly's name of a line style -> its name in the page's text."""


@dataclass(frozen=True)
class Look:
    colour: str
    symbol: str


def look(study: Study, family: str) -> Look:
    """The colour and marker of a family in every figure."""
    if family == BASELINE:
        return Look("var(--muted)", "x")
    place = study.families.index(family)
    return Look(f"var(--family-{place % COLOURS})", SYMBOLS[place % len(SYMBOLS)])


def dashes(study: Study, dataset: str) -> dict[str, str]:
    """Variant of the model -> its line style; a sixth variant is solid again."""
    variants = dict.fromkeys(setting.variant for setting in study.settings[dataset])
    return dict(zip(variants, cycle(DASHES), strict=False))


def axis(title: str, **options: Any) -> dict[str, Any]:
    return {
        "title": {"text": title, "standoff": 8},
        "gridcolor": "var(--grid)",
        "linecolor": "var(--axis)",
        "zeroline": False,
        "showline": True,
        "ticks": "outside",
        "tickcolor": "var(--axis)",
        "ticklen": 4,
        "automargin": True,
        **options,
    }


def logarithmic(ends: Sequence[float] | None = None) -> dict[str, Any]:
    """Options of a logarithmic axis with ticks at round numbers; ``ends`` is its range, not its logarithm."""
    narrow = ends is not None and ends[1] < 10 * ends[0]
    digits = (1, 1.5, 2, 3, 4, 5, 7) if narrow else (1, 2, 5)
    ticks = [digit * 10.0**power for power in range(-4, 9) for digit in digits]
    options = {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}
    return options if ends is None else {**options, "range": [math.log10(end) for end in ends]}


def blank(x: Mapping[str, Any], y: Mapping[str, Any], **layout: Any) -> go.Figure:
    """An empty figure in the report's style."""
    figure = go.Figure()
    figure.update_layout(
        template=go.layout.Template(),
        autosize=True,
        margin={"l": 48, "r": 14, "t": 14, "b": 44},
        font={"family": "system-ui, sans-serif", "size": 12, "color": "var(--ink)"},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hoverlabel={
            "bgcolor": "var(--surface)",
            "bordercolor": "var(--axis)",
            "font": {"color": "var(--ink)"},
        },
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": "var(--muted)", "activecolor": "var(--accent)"},
        showlegend=False,
        xaxis=x,
        yaxis=y,
        **layout,
    )
    return figure


def padded(values: Any, floor: float | None = None) -> list[float]:
    """A range a little wider than ``values``; it starts at ``floor`` if the lowest value is near it."""
    low, high = float(min(values)), float(max(values))
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    low = low - margin if floor is None or low - margin > 0.25 * high else floor
    return [low, high + margin]

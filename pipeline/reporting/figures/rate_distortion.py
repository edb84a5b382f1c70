"""The rate-distortion plane: rate and distortion of every model of a study.

A model of rate R and distortion D (nats per image) lies on a line of constant -ELBO = R + D. As its strength
grows, a family moves along a curve. The best possible R-D curve of the data bounds all of these curves from
below.

A. A. Alemi, B. Poole, I. Fischer, J. V. Dillon, R. A. Saurous, K. Murphy, Fixing a Broken ELBO, 2018,
arXiv:1711.00464.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from pipeline.reporting.figures.style import Look, axis, blank, dashes, logarithmic, look, padded
from pipeline.reporting.outcome import Study
from pipeline.study.settings import BASELINE, Setting

__all__ = ["rate_distortion"]

SHORT = 12
"""The longest label beside a single point, in letters."""
LOGARITHMIC_FROM = 4
"""Ratio of the largest to the smallest distortion above which the axis is logarithmic.

On a linear axis one poor family would hide the differences between the others.
"""


def rate_distortion(study: Study, dataset: str) -> go.Figure | None:
    """Rate and distortion of every seed, and a line through each family's means; None if all are infinite."""
    table = study.table(dataset)
    if not {"rate", "distortion"} <= set(table.columns):
        return None
    plane = table[np.isfinite(table["rate"]) & np.isfinite(table["distortion"])]
    baselines = {setting.name for setting in study.settings[dataset] if setting.family == BASELINE}
    trained = plane[~plane.index.get_level_values("setting").isin(baselines)]
    frame = trained if len(trained) else plane
    if frame.empty:
        return None
    x = padded(frame["rate"], floor=0.0)
    flat = table.loc[np.isinf(table["rate"]) & np.isfinite(table["distortion"]), "distortion"]
    levels = np.array([*frame["distortion"], *flat], dtype=float)
    wide = levels.min() > 0 and levels.max() > LOGARITHMIC_FROM * levels.min()
    y = [float(10**end) for end in padded(np.log10(levels))] if wide else padded(levels)
    scale = logarithmic(y) if wide else {"range": y}
    figure = blank(
        axis("rate, nats per image", range=x),
        axis("distortion, nats per image" + (", logarithmic" if wide else ""), **scale),
        legend={"orientation": "h", "x": 0, "y": -0.16, "yanchor": "top"},
    )
    figure.update_layout(showlegend=True, margin_t=30)
    _iso_lines(figure, x, y)
    for family in dict.fromkeys(setting.family for setting in study.settings[dataset]):
        settings = [setting for setting in study.settings[dataset] if setting.family == family]
        present = [setting for setting in settings if setting.name in table.index]
        values = {setting.name: table.loc[[setting.name]].droplevel("setting") for setting in present}
        finite = [setting for setting in present if setting.name in plane.index]
        beyond = [
            setting for setting in finite if family == BASELINE and not _inside(values[setting.name], x, y)
        ]
        if beyond:
            _outside(figure, [values[setting.name] for setting in beyond], x)
        for variant in dict.fromkeys(setting.variant for setting in finite if setting not in beyond):
            alike = [setting for setting in finite if setting.variant == variant]
            dash = dashes(study, dataset)[variant]
            _curve(figure, family, alike, values, look(study, family), x[1], dash)
        for setting in present if not finite else ():
            _level(figure, setting, values[setting.name], x, look(study, family), present[0].variant)
    return figure


def _curve(
    figure: go.Figure,
    family: str,
    settings: Sequence[Setting],
    values: Mapping[str, Any],
    style: Look,
    right: float,
    dash: str,
) -> None:
    seeds = [
        (row["rate"], row["distortion"], setting.label, seed)
        for setting in settings
        for seed, row in values[setting.name].iterrows()
    ]
    hover = (
        "<br>rate %{x:.4g} nats, distortion %{y:.4g} nats<br>−ELBO %{customdata[1]:.4g} nats<extra></extra>"
    )
    figure.add_scatter(
        x=[float(rate) for rate, _, _, _ in seeds],
        y=[float(distortion) for _, distortion, _, _ in seeds],
        mode="markers",
        marker={"color": style.colour, "symbol": style.symbol, "size": 6, "opacity": 0.6},
        customdata=[[f"{label} seed {seed}".strip(), float(r + d)] for r, d, label, seed in seeds],
        hovertemplate=f"<b>{family}</b> %{{customdata[0]}}{hover}",
        legendgroup=family,
        showlegend=False,
    )
    means = [values[setting.name][["rate", "distortion"]].mean() for setting in settings]
    points = sorted(zip(settings, means, strict=True), key=lambda point: (point[0].strength, point[0].name))
    if len(points) > 1:
        ends = {0, len(points) - 1} if dash == "solid" else set()
    else:  # a single point is labelled with its variant of the model, if the label is short
        ends = {0} if 0 < len(settings[0].variant) <= SHORT else set()
    figure.add_scatter(
        x=[float(mean["rate"]) for _, mean in points],
        y=[float(mean["distortion"]) for _, mean in points],
        mode="lines+markers+text",
        line={"color": style.colour, "width": 2, "dash": dash},
        marker={
            "color": style.colour,
            "symbol": style.symbol,
            "size": 10,
            "line": {"color": "var(--surface)", "width": 1.5},
        },
        text=[
            _text(setting, len(points)) if place in ends else "" for place, (setting, _) in enumerate(points)
        ],
        textposition=["top left" if float(mean["rate"]) > 0.8 * right else "top right" for _, mean in points],
        textfont={"size": 11, "color": style.colour},
        customdata=[
            [f"{s.label}, mean of {len(values[s.name])}".lstrip(", "), float(m["rate"] + m["distortion"])]
            for s, m in points
        ],
        hovertemplate=f"<b>{family}</b> %{{customdata[0]}}{hover}",
        name=family,
        legendgroup=family,
        showlegend=not any(trace.name == family for trace in figure.data),
    )


def _text(setting: Setting, points: int) -> str:
    """The label of a point: of a single point the whole label, of a point of a line without the variant."""
    return setting.label.removesuffix(setting.variant).removesuffix(", ") if points > 1 else setting.label


def _level(
    figure: go.Figure, setting: Setting, values: Any, x: Sequence[float], style: Look, first: str
) -> None:
    """A setting without a finite rate: a horizontal line at its distortion."""
    family = f"{setting.family} {setting.label}".strip()
    level = float(values["distortion"].mean())
    figure.add_scatter(
        x=[float(rate) for rate in np.linspace(x[0], x[1], 25)],
        y=[level] * 25,
        # the lines of one family are near each other, so only the first one has a label
        text=[f"\u2002{setting.family}, rate ∞" * (setting.variant in ("", first))] + [""] * 24,
        textposition="top right",
        textfont={"size": 11, "color": style.colour},
        mode="lines+text",
        line={"color": style.colour, "width": 2, "dash": "dash"},
        hovertemplate=f"<b>{family}</b> distortion {level:.4g} nats; no finite rate<extra></extra>",
        name=f"{family} (rate ∞)",
        legendgroup=setting.family,
    )


def _outside(figure: go.Figure, values: Sequence[Any], x: Sequence[float]) -> None:
    """Baselines outside the frame: a note at the edge gives their values, and the frame stays small."""
    means = [each[["rate", "distortion"]].mean() for each in values]
    rate = float(np.mean([mean["rate"] for mean in means]))
    distortions = sorted({f"{mean['distortion']:.4g}" for mean in means}, key=float)
    where = distortions[0] if len(distortions) == 1 else f"{distortions[0]} to {distortions[-1]}"
    figure.add_annotation(
        x=min(max(rate, x[0]), x[1]), y=1, yref="y domain", yanchor="bottom", xanchor="left",
        text=f"↑ {BASELINE}: rate {rate:.2g}, distortion {where}", showarrow=False,
        font={"size": 11, "color": "var(--muted)"},
    )  # fmt: skip


def _inside(values: Any, x: Sequence[float], y: Sequence[float]) -> bool:
    """Whether these points lie within the frame or just above it."""
    span = y[1] - y[0]
    return bool((values["distortion"] < y[1] + 0.02 * span).all() and (values["rate"] <= x[1]).all())


def _iso_lines(figure: go.Figure, x: Sequence[float], y: Sequence[float]) -> None:
    """Lines of constant R + D, at round values."""
    for total in _round_values(x[0] + y[0], x[1] + y[1], 7):
        first, last = max(x[0], total - y[1]), min(x[1], total - y[0])  # where the line enters and leaves
        if last - first < 0.06 * (x[1] - x[0]):
            continue
        rates = [float(rate) for rate in np.linspace(first, last, 30)]  # a curve on a logarithmic axis
        figure.add_scatter(
            x=rates,
            y=[total - rate for rate in rates],
            text=[""] * 29 + [f"{total:g}"],
            textposition="top left",
            textfont={"size": 11, "color": "var(--muted)"},
            mode="lines+text",
            line={"color": "var(--iso)", "width": 1, "dash": "dot"},
            hoverinfo="skip",
            showlegend=False,
        )


def _round_values(low: float, high: float, count: int) -> list[float]:
    raw = (high - low) / count
    power = 10 ** math.floor(math.log10(raw))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= raw)
    return [step * k for k in range(math.ceil(low / step), math.floor(high / step) + 1)]

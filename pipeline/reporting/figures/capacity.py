"""Does the rate reach its target? Rate against the target C at the end of training, in nats, with the line R
= C.

C. P. Burgess, I. Higgins, A. Pal, L. Matthey, N. Watters, G. Desjardins, A. Lerchner, Understanding
disentangling in β-VAE, 2018, arXiv:1804.03599.
"""

from __future__ import annotations

import math

import plotly.graph_objects as go

from pipeline.reporting.figures.style import axis, blank, look
from pipeline.reporting.outcome import Study
from vaecore.families import family_class

__all__ = ["capacity"]


def capacity(study: Study, dataset: str, family: str) -> go.Figure | None:
    """Rate against the family's target C, with the line R = C; None if it has no target or no finite rate."""
    table = study.table(dataset)
    if family_class(family).target is None or "rate" not in table:
        return None
    settings = [s for s in study.settings[dataset] if s.family == family and s.name in table.index]
    points = [
        (setting.strength, float(rate), f"{setting.label}, seed {seed}")
        for setting in settings
        for seed, rate in table["rate"].loc[setting.name].items()
    ]
    points = [point for point in points if math.isfinite(point[0]) and math.isfinite(point[1])]
    if not points:
        return None
    top = 1.08 * max(max(target, rate) for target, rate, _ in points) or 1.0
    figure = blank(
        axis("target C, nats", range=[0, top], fixedrange=True),
        axis("rate, nats", range=[0, top], fixedrange=True),
    )
    figure.add_scatter(
        x=[0, top],
        y=[0, top],
        mode="lines",
        hoverinfo="skip",
        line={"color": "var(--muted)", "width": 1.5, "dash": "dot"},
    )
    figure.add_annotation(
        x=0.8 * top, y=0.8 * top, text="rate = C", showarrow=False, xanchor="right", yanchor="bottom",
        font={"size": 11, "color": "var(--muted)"},
    )  # fmt: skip
    style = look(study, family)
    figure.add_scatter(
        x=[target for target, _, _ in points],
        y=[rate for _, rate, _ in points],
        mode="markers",
        marker={"color": style.colour, "symbol": style.symbol, "size": 9, "opacity": 0.75},
        customdata=[text for _, _, text in points],
        hovertemplate=(
            f"<b>{family}</b> %{{customdata}}<br>rate %{{y:.4g}} nats for C = %{{x:g}}<extra></extra>"
        ),
    )
    return figure

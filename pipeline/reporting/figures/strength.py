"""A score against a family's strength (β, γ, C): one panel per family, since each strength has its scale."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

import metrics
from pipeline.reporting.figures.style import Look, axis, blank, dashes, look, padded
from pipeline.reporting.outcome import Study
from pipeline.reporting.summary import estimate, estimates
from pipeline.study.settings import BASELINE, Setting, strength_axis
from vaecore.families import reference

__all__ = ["against_strength"]

BARS_FROM = 3
"""The smallest number of seeds for which intervals are drawn; with two seeds they are far too wide."""


def against_strength(study: Study, dataset: str, about: metrics.Description) -> dict[str, go.Figure]:
    """Family -> a metric against the family's strength; all figures have the same scale.

    Horizontal lines show the reference family and the untrained model.
    """
    table, metric = study.table(dataset), about.main
    if metric not in table:
        return {}
    finite = table[metric][np.isfinite(table[metric])]
    if finite.empty:
        return {}
    means = estimates(study, dataset, metric)
    levels = {}
    for kind in (reference(), BASELINE):
        own = [setting for setting in study.settings[dataset] if setting.family == kind]
        if len(own) == 1 and own[0].name in means:
            levels[kind] = means[own[0].name].mean
    y = padded(finite)
    title = f"{about.title}, {about.unit}" if about.unit else about.title
    figures = {}
    for family in study.families:
        settings = [
            setting
            for setting in study.settings[dataset]
            if setting.family == family and setting.name in means and math.isfinite(setting.strength)
        ]
        if settings:
            figures[family] = _strengths(
                settings,
                table[metric],
                y,
                title if len(title) < 30 else metric.replace("_", " "),
                look(study, family),
                dashes(study, dataset),
            )
            for name, level in levels.items():
                _reference(figures[family], name, level, look(study, name).colour)
    return figures


def _strengths(
    settings: Sequence[Setting],
    scores: Any,
    y: Sequence[float],
    title: str,
    style: Look,
    dashed: Mapping[str, str],
) -> go.Figure:
    settings = sorted(settings, key=lambda setting: setting.strength)
    strengths = sorted({setting.strength for setting in settings})
    wide = strengths[0] > 0 and strengths[-1] / strengths[0] >= 8
    figure = blank(
        axis(
            strength_axis(settings[0].family),
            type="log" if wide else "linear",
            tickvals=strengths,
            ticktext=[f"{strength:g}" for strength in strengths],
            fixedrange=True,
        ),
        axis(title, range=list(y), fixedrange=True),
    )
    points = [
        (setting, seed, float(score))
        for setting in settings
        for seed, score in scores.loc[setting.name].items()
        if math.isfinite(score)
    ]
    figure.add_scatter(
        x=[setting.strength for setting, _, _ in points],
        y=[score for _, _, score in points],
        mode="markers",
        marker={"color": style.colour, "symbol": style.symbol, "size": 6, "opacity": 0.5},
        customdata=[f"{setting.label}, seed {seed}" for setting, seed, _ in points],
        hovertemplate=f"<b>{settings[0].family}</b> %{{customdata}}<br>%{{y:.4g}}<extra></extra>",
    )
    means = [(setting, estimate(scores.loc[setting.name])) for setting in settings]
    for variant in dict.fromkeys(setting.variant for setting in settings):
        alike = [(setting, value) for setting, value in means if setting.variant == variant]
        figure.add_scatter(
            x=[setting.strength for setting, _ in alike],
            y=[value.mean for _, value in alike],
            error_y={
                "type": "data",
                "array": [value.half_width if value.n >= BARS_FROM else None for _, value in alike],
                "thickness": 1.5,
                "width": 4,
            },
            mode="lines+markers" if len({each.strength for each, _ in alike}) == len(alike) else "markers",
            line={"color": style.colour, "width": 2, "dash": dashed[variant]},
            marker={
                "color": style.colour,
                "symbol": style.symbol,
                "size": 9,
                "line": {"color": "var(--surface)", "width": 1.5},
            },
            customdata=[f"{setting.label}, mean of {value.n}" for setting, value in alike],
            hovertemplate=f"<b>{settings[0].family}</b> %{{customdata}}<br>%{{y:.4g}}<extra></extra>",
        )
    return figure


def _reference(figure: go.Figure, name: str, level: float, colour: str) -> None:
    figure.add_hline(
        y=level,
        line={"color": colour, "width": 1.5, "dash": "dot"},
        annotation={
            "text": name,
            "font": {"size": 11, "color": colour},
            "xanchor": "right",
            "yanchor": "bottom",
        },
        annotation_position="top right",
    )

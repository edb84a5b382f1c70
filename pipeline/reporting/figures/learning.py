"""Learning curves: distortion and rate against the step. Each setting of a family has a line, the mean over
its seeds.

If the family has a target C(step) for the rate, the figure shows the target too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pipeline.reporting.figures.style import axis, blank, logarithmic, look
from pipeline.reporting.outcome import Study
from pipeline.store.layout import Store
from pipeline.study.settings import BASELINE, Setting
from vaecore.families import family_class

__all__ = ["curves", "learning"]

POINTS = 160
"""The largest number of points of a line; a screen does not show more."""
TERMS = ("distortion", "rate")


def curves(study: Study, store: Store) -> pd.DataFrame:
    """The learning curves of a study, averaged over seeds: a row per (dataset, family, setting, step).

    Columns distortion and rate are in nats per image; so is capacity, which is NaN if the family has no
    target. Only finished trials count. All finished trials of a setting have the same steps.
    """
    frames = []
    for dataset, settings in study.settings.items():
        for setting in settings:
            finished = [trial for trial in setting.trials if _finished(study, trial.key)]
            if setting.family == BASELINE or not finished:
                continue
            history = pd.concat([store.history(dataset, trial.key) for trial in finished])
            target = family_class(setting.family).target
            if target is not None and target in history:
                history["capacity"] = history[target]
            kept = [name for name in (*TERMS, "capacity") if name in history]
            mean = history.groupby("step")[kept].mean().reset_index()
            frames.append(mean.assign(dataset=dataset, family=setting.family, setting=setting.name))
    columns = ["dataset", "family", "setting", "step", *TERMS, "capacity"]
    if not frames:
        return pd.DataFrame(columns=columns)
    return pd.concat(frames, ignore_index=True).reindex(columns=columns)


def learning(study: Study, dataset: str, family: str, means: pd.DataFrame) -> go.Figure | None:
    """One family's curves on one data set, distortion above rate; None if the family has none."""
    settings = [setting for setting in study.settings[dataset] if setting.family == family]
    rows = means[(means["dataset"] == dataset) & (means["family"] == family)]
    terms = [term for term in TERMS if len(rows) and np.isfinite(rows[term].astype(float)).any()]
    if not terms:
        return None
    figure = blank(
        axis("step", fixedrange=True, anchor="y" if len(terms) == 1 else "y2"),
        axis(f"{terms[0]}, nats", fixedrange=True, domain=[0, 1] if len(terms) == 1 else [0.55, 1]),
        legend={"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top", "font": {"size": 11}},
        hovermode="x unified" if len(settings) <= 4 else "closest",
    )
    figure.update_layout(showlegend=len(settings) > 1)
    if len(terms) > 1:
        figure.update_layout(yaxis2=axis(f"{terms[1]}, nats", fixedrange=True, domain=[0, 0.45]))
    for place, term in enumerate(terms):
        axis_name = "y" if place == 0 else "y2"
        for setting, opacity in zip(settings, _shades(len(settings)), strict=True):
            line = _thinned(rows[rows["setting"] == setting.name])
            if len(line):
                _line(figure, line, term, setting, look(study, family).colour, opacity, axis_name, place == 0)
                if term == "rate" and line["capacity"].notna().any():
                    _target(figure, line, opacity, axis_name)
        _frame(figure, rows, term, axis_name)
    return figure


def _line(
    figure: go.Figure,
    line: pd.DataFrame,
    term: str,
    setting: Setting,
    colour: str,
    opacity: float,
    y: str,
    named: bool,
) -> None:
    figure.add_scatter(
        x=line["step"].tolist(),
        y=[round(float(value), 4) for value in line[term]],
        yaxis=y,
        mode="lines",
        line={"color": colour, "width": 2},
        opacity=opacity,
        name=setting.label or setting.family,
        legendgroup=setting.name,
        showlegend=named,
        hovertemplate=f"{setting.label} {term} %{{y:.4g}}<extra></extra>".lstrip(),
    )  # fmt: skip


def _target(figure: go.Figure, line: pd.DataFrame, opacity: float, y: str) -> None:
    figure.add_scatter(
        x=line["step"].tolist(),
        y=[round(float(value), 4) for value in line["capacity"]],
        yaxis=y,
        mode="lines",
        line={"color": "var(--muted)", "width": 1.5, "dash": "dot"},
        opacity=opacity,
        showlegend=False,
        hovertemplate="C %{y:.4g}<extra></extra>",
    )


def _frame(figure: go.Figure, rows: pd.DataFrame, term: str, y: str) -> None:
    """The vertical axis: logarithmic if the fall of the distortion in the first steps would hide the rest."""
    values = rows[term].astype(float)
    values = values[np.isfinite(values)]
    name = "yaxis" if y == "y" else "yaxis2"
    if term == "distortion" and len(values) and values.min() > 0 and values.max() / values.min() > 4:
        figure.update_layout({name: logarithmic()})
    elif term == "rate":
        figure.update_layout({name: {"rangemode": "tozero"}})


def _shades(count: int) -> Sequence[float]:
    """Opacities of the lines, from the weakest setting to the strongest."""
    return [1.0] if count == 1 else [float(value) for value in np.linspace(0.45, 1.0, count)]


def _thinned(line: pd.DataFrame) -> pd.DataFrame:
    every = max(1, math.ceil(len(line) / POINTS))
    return line.iloc[sorted({*range(0, len(line), every), len(line) - 1})] if len(line) else line


def _finished(study: Study, key: str) -> bool:
    return study.results.get(key, {}).get("status") == "finished"

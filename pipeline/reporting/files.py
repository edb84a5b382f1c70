"""Writes the files of reports/: the HTML page, and tables for further computation.

    reports/index.html             the whole report in one file; it opens from disk, without a network
    reports/scores.csv             a row per (trial, split, metric)
    reports/metrics.json           data set -> setting -> metric -> mean over seeds
    reports/rate_distortion.csv    a row per setting
    reports/learning_curves.csv    a row per (setting, recorded step)

The tables contain no times, dates or machine names, so every clone of a study writes the same tables.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.reporting.figures.learning import curves
from pipeline.reporting.outcome import Study
from pipeline.reporting.page import render
from pipeline.reporting.summary import estimates, main_metrics
from pipeline.store.files import atomic, write_json
from pipeline.store.layout import Store

__all__ = ["write"]


def write(study: Study, store: Store) -> None:
    """Write all files of reports/, each one atomically."""
    learned = curves(study, store)
    _write_csv(store.reports / "scores.csv", scores_csv(study))
    write_json(store.reports / "metrics.json", means(study))
    _write_csv(store.reports / "rate_distortion.csv", rate_distortion_csv(study))
    # An infinite rate (of a deterministic code) is an empty cell: DVC's plots cannot show infinity.
    _write_csv(store.reports / "learning_curves.csv", learned.replace(math.inf, math.nan))
    page = render(study, store, learned)
    with atomic(store.reports / "index.html") as temporary:
        temporary.write_text(page, encoding="utf-8")


def scores_csv(study: Study) -> pd.DataFrame:
    """Every score, a row per (trial, split, metric), in the order of the study.

    Columns: dataset, family, setting, seed, key (of the trial), strength, split, metric, value.
    """
    order = {
        (dataset, setting.name): place
        for dataset, settings in study.settings.items()
        for place, setting in enumerate(settings)
    }
    datasets = {dataset: place for place, dataset in enumerate(study.params.datasets)}
    scores = study.scores.rename(columns={"x": "strength"}).assign(
        _dataset=study.scores["dataset"].map(datasets),
        _setting=[order[pair] for pair in zip(study.scores["dataset"], study.scores["setting"], strict=True)],
    )
    scores = scores.sort_values(["_dataset", "_setting", "seed", "metric", "split"])
    return scores[["dataset", "family", "setting", "seed", "key", "strength", "split", "metric", "value"]]


def means(study: Study) -> dict[str, dict[str, dict[str, float]]]:
    """Data set -> setting -> metric -> mean over seeds; only finite means, since JSON has no infinity."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for dataset, settings in study.settings.items():
        values = {
            metric.main: estimates(study, dataset, metric.main) for metric in main_metrics(study, dataset)
        }
        found[dataset] = {
            setting.name: {
                metric: float(f"{by_setting[setting.name].mean:.9g}")
                for metric, by_setting in values.items()
                if setting.name in by_setting and math.isfinite(by_setting[setting.name].mean)
            }
            for setting in settings
        }
    return found


def rate_distortion_csv(study: Study) -> pd.DataFrame:
    """Mean rate and distortion, a row per setting for which both are finite, in the order of the study."""
    rows: list[dict[str, Any]] = []
    for dataset, settings in study.settings.items():
        rate, distortion = estimates(study, dataset, "rate"), estimates(study, dataset, "distortion")
        for setting in settings:
            if setting.name not in rate or setting.name not in distortion:
                continue
            x, y = rate[setting.name].mean, distortion[setting.name].mean
            if math.isfinite(x) and math.isfinite(y):
                rows.append(
                    {
                        "dataset": dataset,
                        "family": setting.family,
                        "setting": setting.name,
                        "strength": setting.strength,
                        "rate": x,
                        "distortion": y,
                    }
                )
    return pd.DataFrame(rows, columns=["dataset", "family", "setting", "strength", "rate", "distortion"])


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    with atomic(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.9g", lineterminator="\n", encoding="utf-8")

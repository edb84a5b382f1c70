"""Which scores a study asks for, which of them are kept and up to date, and the table they make.

A score is kept with a digest of what it was computed by: the metric's settings and source, the data, the code that
encodes images and calls metrics. The trial's own folder stands for the model. What has another digest is computed anew;
nothing else is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd

import metrics
from pipeline.errors import UserError
from pipeline.params import FILE, Params
from pipeline.provenance import source_digest
from pipeline.scoring import applicable
from pipeline.store import Ready, Store
from pipeline.study import strength
from pipeline.tracking import Tracker
from pipeline.trial import Trial

__all__ = ["Asked", "Work", "asked", "kept", "log_scores", "pictures_digest", "plan", "table", "update"]

COLUMNS = ("dataset", "family", "key", "seed", "setting", "x", "untrained", "split", "metric", "value")
PICTURES = {"reconstructions.png", "traversals.png"}


@dataclass(frozen=True)
class Asked:
    """A metric that the study asks for on one data set."""

    settings: dict[str, Any]
    digest: str


@dataclass(frozen=True)
class Work:
    """What is to be computed of one trial."""

    trial: Trial
    wanted: dict[str, Asked]
    """By metric."""
    draw: bool
    """Whether its pictures are to be made."""

    @property
    def description(self) -> str:
        count = len(self.wanted)
        parts = [f"{count} metric" + ("s" if count != 1 else "")] if count else []
        return " and ".join(parts + (["pictures"] if self.draw else []))


def asked(params: Params, ready: Mapping[str, Ready]) -> dict[str, dict[str, Asked]]:
    """Data set -> metric -> what is asked for, where the data set has the ground truth that the metric needs.

    Raises:
        UserError: a metric takes an array that there is not.
    """
    listed = params.evaluation.metrics
    found = {}
    for dataset, data in ready.items():
        try:
            names = applicable(listed, factors=data.factors is not None, labels=data.labels is not None)
        except ValueError as error:
            raise UserError(f"{FILE}: evaluation.metrics: {error}") from None
        found[dataset] = {
            name: Asked(settings := listed[name] or {}, _digest(name, settings, data)) for name in names
        }
    return found


def _digest(metric: str, settings: Mapping[str, Any], ready: Ready) -> str:
    parts = [
        settings,
        _metric_source(metric),
        ready.meta["checksum"],
        source_digest("pipeline.encoding", "pipeline.scoring"),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@cache
def _metric_source(name: str) -> str:
    return source_digest(f"metrics.{metrics.names()[name]}.{name}")


def pictures_digest() -> str:
    """Of the code that draws."""
    return source_digest("pipeline.pictures")


def kept(trial: Trial, wanted: Mapping[str, Asked], store: Store) -> dict[str, dict[str, Any]]:
    """Metric -> {"digest", "values", "split", "seconds"}, of the metrics wanted that are up to date."""
    have = store.trial_scores(trial.dataset, trial.key)["metrics"]
    return {
        name: have[name]
        for name, metric in wanted.items()
        if have.get(name, {}).get("digest") == metric.digest
    }


def plan(trials: Sequence[Trial], wanted: Mapping[str, Mapping[str, Asked]], store: Store) -> list[Work]:
    """What is missing of finished trials, in their order."""
    work = []
    for trial in trials:
        have = kept(trial, wanted[trial.dataset], store)
        missing = {name: metric for name, metric in wanted[trial.dataset].items() if name not in have}
        drawn = {path.name for path in store.pictures(trial.dataset, trial.key)}
        current = store.trial_scores(trial.dataset, trial.key)["pictures"] == pictures_digest()
        draw = not (current and drawn >= PICTURES)
        if missing or draw:
            work.append(Work(trial, missing, draw))
    return work


def update(
    work: Work, scores: Mapping[str, Mapping[str, Any]], pictures: Mapping[str, bytes], store: Store
) -> None:
    """Keep what was computed. What was stale and could not be computed anew is dropped."""
    trial = work.trial
    have = store.trial_scores(trial.dataset, trial.key)
    fresh = {name: {"digest": work.wanted[name].digest, **score} for name, score in scores.items()}
    others = {name: entry for name, entry in have["metrics"].items() if name not in work.wanted}
    drawn = pictures_digest() if pictures else have["pictures"]
    store.write_trial_scores(
        trial.dataset, trial.key, {"metrics": {**others, **fresh}, "pictures": drawn}, pictures
    )


def log_scores(
    scores: Mapping[str, Mapping[str, Mapping[str, Any]]],
    trials: Sequence[Trial],
    store: Store,
    tracker: Tracker,
) -> None:
    """Bring the trials' MLflow runs up to their scores: trial key -> what :func:`kept` gives."""
    for trial in trials:
        values = {
            name: value for entry in scores[trial.key].values() for name, value in entry["values"].items()
        }
        if values:
            tracker.log_scores(trial, values, store.pictures(trial.dataset, trial.key))


def table(scores: Sequence[tuple[Trial, Mapping[str, Mapping[str, Any]]]]) -> pd.DataFrame:
    """The tidy table of one data set, a row per (trial, value), from what :func:`kept` gives of its trials."""
    rows = [
        {
            "dataset": trial.dataset,
            "family": trial.family,
            "key": trial.key,
            "seed": trial.seed,
            "setting": json.dumps(dict(trial.hyper), sort_keys=True),
            "x": strength(trial),
            "untrained": trial.untrained,
            "split": entry["split"],
            "metric": metric,
            "value": value,
        }
        for trial, entries in scores
        for entry in entries.values()
        for metric, value in entry["values"].items()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(
        {"seed": "int64", "x": "float64", "untrained": bool, "value": "float64"}
    )

"""Which scores a study asks for, which of them are kept and up to date, and the table they make.

A score is kept with a digest of what it was computed by: the metric's settings and source, the data, the code that
runs models and calls metrics, and for a metric of several seeds which they were. The trial's own folder stands for the model. What
has another digest is computed anew; nothing else is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

import pandas as pd

import metrics
from pipeline.errors import UserError
from pipeline.scoring.computation import Score
from pipeline.store.layout import Store
from pipeline.store.ready import Ready
from pipeline.study.applicability import inapplicable
from pipeline.study.expansion import peers_of
from pipeline.study.metric_inputs import DRAWN, PEERS, arguments
from pipeline.study.metric_settings import resampling
from pipeline.study.params import FILE, Params
from pipeline.study.provenance import source_digest
from pipeline.study.settings import strength
from pipeline.study.trial import Trial

__all__ = ["Asked", "Work", "asked", "keep", "kept", "pictures_digest", "plan", "table"]

COLUMNS = ("dataset", "family", "key", "seed", "setting", "x", "untrained", "split", "metric", "value")
PICTURES = {"reconstructions.png", "traversals.png"}


@dataclass(frozen=True)
class Asked:
    """A metric that the study asks for of one trial."""

    settings: dict[str, Any]
    """The metric's own."""
    interval: dict[str, Any]
    """How its values' intervals are found; empty where none are asked for."""
    takes: frozenset[str]
    """Its arrays."""
    digest: str
    peers: tuple[Trial, ...] = ()
    """The trials that it takes arrays of besides its own."""


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


def asked(params: Params, ready: Mapping[str, Ready], trials: Sequence[Trial]) -> dict[str, dict[str, Asked]]:
    """Trial key -> metric -> what is asked for, of those metrics that apply to the trial.

    Args:
        trials: those of the study that are finished.

    Raises:
        UserError: a metric takes an array that there is not.
    """
    listed = {name: settings or {} for name, settings in params.evaluation.metrics.items()}
    try:
        takes = {name: frozenset(arguments(name)) for name in listed}
    except ValueError as error:
        raise UserError(f"{FILE}: evaluation.metrics: {error}") from None
    peers = peers_of(trials)
    digests = _Digests(ready, params.evaluation.samples)
    found: dict[str, dict[str, Asked]] = {}
    for trial in trials:
        others = peers[trial.key]
        found[trial.key] = {}
        for name, settings in listed.items():
            if inapplicable(name, trial, ready[trial.dataset], peers=bool(others)):
                continue
            own, interval = resampling(settings)
            compared = others if takes[name] & PEERS else ()
            digest = digests.of(trial.dataset, name, own, interval, takes[name], compared)
            found[trial.key][name] = Asked(own, interval, takes[name], digest, compared)
    return found


@dataclass(frozen=True)
class _Digests:
    """Digests of scores; nearly all trials of a data set share theirs."""

    ready: Mapping[str, Ready]
    samples: int
    known: dict[tuple[Any, ...], str] = field(default_factory=dict)

    def of(
        self,
        dataset: str,
        metric: str,
        settings: Mapping[str, Any],
        interval: Mapping[str, Any],
        takes: frozenset[str],
        peers: tuple[Trial, ...],
    ) -> str:
        keys = sorted(peer.key for peer in peers)
        place = (dataset, metric, *keys)
        if place not in self.known:
            parts: list[Any] = [
                settings,
                _metric_source(metric),
                self.ready[dataset].meta["checksum"],
                source_digest("pipeline.scoring.encoding", "pipeline.scoring.computation"),
            ]
            if interval:
                parts += [interval, source_digest("metrics.uncertainty")]
            if takes & DRAWN:
                parts += [self.samples, source_digest("pipeline.scoring.sampling")]
            if keys:
                parts += [keys]
            self.known[place] = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        return self.known[place]


@cache
def _metric_source(name: str) -> str:
    return source_digest(f"metrics.{metrics.names()[name]}.{name}")


def pictures_digest() -> str:
    """Of the code that draws."""
    return source_digest("pipeline.scoring.pictures")


def kept(trial: Trial, wanted: Mapping[str, Asked], store: Store) -> dict[str, dict[str, Any]]:
    """Metric -> {"digest", "values", "split", "seconds"}, of the metrics wanted that are up to date."""
    return _current(store.trial_scores(trial.dataset, trial.key), wanted)


def _current(have: Mapping[str, Any], wanted: Mapping[str, Asked]) -> dict[str, dict[str, Any]]:
    entries = have["metrics"]
    return {
        name: entries[name]
        for name, metric in wanted.items()
        if entries.get(name, {}).get("digest") == metric.digest
    }


def plan(trials: Sequence[Trial], wanted: Mapping[str, Mapping[str, Asked]], store: Store) -> list[Work]:
    """What is missing of finished trials, in their order."""
    work = []
    for trial in trials:
        have = store.trial_scores(trial.dataset, trial.key)
        current = _current(have, wanted[trial.key])
        missing = {name: metric for name, metric in wanted[trial.key].items() if name not in current}
        drawn = {path.name for path in store.pictures(trial.dataset, trial.key)}
        draw = not (have["pictures"] == pictures_digest() and drawn >= PICTURES)
        if missing or draw:
            work.append(Work(trial, missing, draw))
    return work


def keep(
    work: Work,
    scores: Mapping[str, Score],
    failed: Sequence[str],
    pictures: Mapping[str, bytes],
    store: Store,
) -> None:
    """Keep what was computed just now. What was stale and could not be computed anew is dropped."""
    trial = work.trial
    have = store.trial_scores(trial.dataset, trial.key)
    fresh = {name: {"digest": work.wanted[name].digest, **asdict(score)} for name, score in scores.items()}
    others = {name: entry for name, entry in have["metrics"].items() if name not in failed}
    drawn = pictures_digest() if pictures else have["pictures"]
    store.write_trial_scores(
        trial.dataset, trial.key, {"metrics": {**others, **fresh}, "pictures": drawn}, pictures
    )


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

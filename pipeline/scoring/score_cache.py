"""The scores that a study requests, those that are kept and up to date, and the table they make.

A score is kept with a digest of everything it was computed from: the settings and the source of the metric,
the data set, the code that runs models and calls metrics, and the peers of a metric of several seeds. The
trial's own folder stands for the model. A score with another digest is computed again, and no other score.
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
from metrics.vocabulary import ARRAYS, Source, arrays_from
from pipeline.scoring.computation import Score
from pipeline.store.layout import Store
from pipeline.store.ready import Ready
from pipeline.study.applicability import reasons
from pipeline.study.expansion import peers_of
from pipeline.study.metric_call import MetricCall
from pipeline.study.params import Params
from pipeline.study.provenance import code_digest, source_digest
from pipeline.study.settings import strength
from pipeline.study.trial import Trial

__all__ = ["Requested", "Work", "keep", "kept", "pictures_digest", "plan", "requested", "table"]

COLUMNS = ("dataset", "family", "key", "seed", "setting", "x", "untrained", "split", "metric", "value")
PICTURES = {"reconstructions.png", "traversals.png"}
CODE = (
    "pipeline.scoring.computation",
    "pipeline.scoring.encoding",
    "pipeline.scoring.model_arrays",
    "pipeline.study.metric_call",
)
"""The modules that every score depends on. Those that schedule tasks, draw pictures or check settings are
not."""
SAMPLING = "pipeline.scoring.sampling"
"""The module that scores of drawn images depend on besides."""


@dataclass(frozen=True)
class Requested:
    """A metric that a study requests of one trial."""

    call: MetricCall
    digest: str
    peers: tuple[Trial, ...] = ()
    """The other seeds, if it needs arrays of them."""


@dataclass(frozen=True)
class Work:
    """What to compute of one trial."""

    trial: Trial
    metrics: dict[str, Requested]
    """By name."""
    draw: bool
    """Whether to make its pictures."""

    @property
    def description(self) -> str:
        count = len(self.metrics)
        parts = [f"{count} metric" + ("s" if count != 1 else "")] if count else []
        return " and ".join(parts + (["pictures"] if self.draw else []))


def requested(
    params: Params, ready: Mapping[str, Ready], trials: Sequence[Trial]
) -> dict[str, dict[str, Requested]]:
    """Trial key -> metric -> the request, for the metrics that apply to the trial.

    Args:
        trials: the finished ones of the study.
    """
    calls, peers = params.evaluation.calls(), peers_of(trials)
    why_not = reasons(list(calls), trials, ready, peers)
    digests = _Digests(ready, params.evaluation.samples)
    found: dict[str, dict[str, Requested]] = {}
    for trial in trials:
        found[trial.key] = {}
        for name, call in calls.items():
            if why_not[trial.key][name] is None:
                others = peers[trial.key] if call.arrays & arrays_from(Source.PEERS) else ()
                found[trial.key][name] = Requested(call, digests.of(trial.dataset, call, others), others)
    return found


@dataclass(frozen=True)
class _Digests:
    """Digests of scores; nearly all trials of a data set share theirs."""

    ready: Mapping[str, Ready]
    samples: int
    known: dict[tuple[str, ...], str] = field(default_factory=dict)

    def of(self, dataset: str, call: MetricCall, peers: tuple[Trial, ...]) -> str:
        keys = sorted(peer.key for peer in peers)
        place = (dataset, call.name, *keys)
        if place not in self.known:
            arrays = [ARRAYS[name] for name in sorted(call.arrays)]
            parts: list[Any] = [
                call.settings,
                _metric_source(call.name),
                self.ready[dataset].meta["checksum"],
                code_digest(*CODE),
                # The facts of the vocabulary that select rows: its texts change no number.
                [(array.name, array.source.name, array.per_image, array.held_out) for array in arrays],
            ]
            if call.interval:
                parts += [call.interval, source_digest("metrics.uncertainty")]
            if call.arrays & arrays_from(Source.DRAWN):
                parts += [self.samples, code_digest(SAMPLING)]
            if keys:
                parts += [keys]
            self.known[place] = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        return self.known[place]


@cache
def _metric_source(name: str) -> str:
    return source_digest(f"metrics.{metrics.names()[name]}.{name}")


def pictures_digest() -> str:
    """A digest of the code that draws pictures."""
    return source_digest("pipeline.scoring.pictures")


def kept(trial: Trial, requests: Mapping[str, Requested], store: Store) -> dict[str, dict[str, Any]]:
    """Metric -> {"digest", "values", "split", "seconds"}, for the requested metrics that are up to date."""
    return _current(store.trial_scores(trial.dataset, trial.key), requests)


def _current(have: Mapping[str, Any], requests: Mapping[str, Requested]) -> dict[str, dict[str, Any]]:
    entries = have["metrics"]
    return {
        name: entries[name]
        for name, metric in requests.items()
        if entries.get(name, {}).get("digest") == metric.digest
    }


def plan(
    trials: Sequence[Trial], requests: Mapping[str, Mapping[str, Requested]], store: Store
) -> list[Work]:
    """What is missing of finished trials, in their order."""
    work = []
    for trial in trials:
        have = store.trial_scores(trial.dataset, trial.key)
        current = _current(have, requests[trial.key])
        missing = {name: metric for name, metric in requests[trial.key].items() if name not in current}
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
    """Keep the new scores and pictures of a trial, and drop the old scores of metrics that ``failed``."""
    trial = work.trial
    have = store.trial_scores(trial.dataset, trial.key)
    fresh = {name: {"digest": work.metrics[name].digest, **asdict(score)} for name, score in scores.items()}
    others = {name: entry for name, entry in have["metrics"].items() if name not in failed}
    drawn = pictures_digest() if pictures else have["pictures"]
    store.write_trial_scores(
        trial.dataset, trial.key, {"metrics": {**others, **fresh}, "pictures": drawn}, pictures
    )


def table(scores: Sequence[tuple[Trial, Mapping[str, Mapping[str, Any]]]]) -> pd.DataFrame:
    """The tidy table of one data set, a row per (trial, value).

    Args:
        scores: each trial with its scores, as :func:`kept` returns them.
    """
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

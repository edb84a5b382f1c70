"""How long pending trials and scores take, by what earlier ones took on this machine.

    training   Σ_trials steps · batch size / (images per second) / workers
    scoring    Σ_scores seconds / workers

Images per second are the median over earlier results of the most similar trials: of the same data set,
family and network; else of the same family and network, scaled by the number of pixels; else of any. A score
takes as long as its metric did on that data set; else on any. Starting Ray, preparing data and running models
for their codes are not counted.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from pipeline.scoring.score_cache import Work
from pipeline.store.files import read_json
from pipeline.store.layout import Store
from pipeline.store.ready import Ready
from pipeline.study.params import Scheduling
from pipeline.study.provenance import machine
from pipeline.study.trial import Trial

__all__ = ["Estimate", "estimate"]


@dataclass(frozen=True)
class Estimate:
    """Seconds on the clock, with all workers busy."""

    work: bool
    """Whether there is anything to do."""
    training: float
    scoring: float
    workers: int
    trials: int
    """Earlier trials that it relies on."""
    unknown: str
    """What no earlier run says: "trial" or "score"; empty if all is known."""


def estimate(
    pending: Sequence[Trial],
    work: Sequence[Work],
    ready: Mapping[str, Ready],
    scheduling: Scheduling,
    store: Store,
) -> Estimate:
    """What the pending trials and scores will take."""
    speeds, took = dict[tuple[str, ...], list[float]](), dict[tuple[str, ...], list[float]]()
    trials = 0
    for config, result, scores in _earlier(store):
        trials += 1
        rate = result["images_per_second"] * _pixels(config["dataset"], ready, store)
        for kind in _kinds(config["dataset"], config["family"], config["network"]):
            speeds.setdefault(kind, []).append(rate)
        for metric, entry in scores.items():
            for kind in ((config["dataset"], metric), (metric,)):
                took.setdefault(kind, []).append(entry["seconds"])
    workers = _workers(scheduling)
    training, scoring, unknown = 0.0, 0.0, ""
    for trial in pending:
        if trial.untrained:
            continue
        pixels = math.prod(ready[trial.dataset].shape)
        rate = _first(_kinds(trial.dataset, trial.family, trial.network), speeds)
        unknown = unknown or ("" if rate else "trial")
        training += trial.training.steps * trial.training.batch_size * pixels / rate if rate else 0.0
    for each in work:
        for metric in each.metrics:
            seconds = _first([(each.trial.dataset, metric), (metric,)], took)
            unknown = unknown or ("" if seconds is not None else "score")
            scoring += seconds or 0.0
    return Estimate(bool(pending or work), training / workers, scoring / workers, workers, trials, unknown)


def _earlier(store: Store) -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """Configuration, result and scores of trials that this machine trained."""
    here = machine()
    for path in sorted(store.root.glob("runs/*/*/result.json")):
        result, config = read_json(path), read_json(path.parent / "config.json")
        if not result or not config or not result.get("images_per_second"):
            continue
        ran_on = result.get("machine", {})
        if all(ran_on.get(name) == here[name] for name in ("cpu", "gpu")):
            yield config, result, store.trial_scores(config["dataset"], path.parent.name)["metrics"]


def _kinds(dataset: str, family: str, network: Any) -> list[tuple[str, ...]]:
    """The groups of a trial, the most alike first."""
    written = json.dumps(network, sort_keys=True)
    return [
        ("of data", dataset, family, written),
        ("of family", family, written),
        ("of network", written),
        (),
    ]


def _first(kinds: Sequence[tuple[str, ...]], values: Mapping[tuple[str, ...], list[float]]) -> float | None:
    return next((median(values[kind]) for kind in kinds if kind in values), None)


def _pixels(dataset: str, ready: Mapping[str, Ready], store: Store) -> int:
    if dataset in ready:
        return math.prod(ready[dataset].shape)
    meta = read_json(store.ready(dataset) / "meta.json") or {}
    return math.prod(meta.get("shape", [1, 64, 64]))


def _workers(scheduling: Scheduling) -> int:
    """Workers that fit this machine."""
    import torch

    room = [(os.cpu_count() or 1) / scheduling.cpu]
    if scheduling.gpu:
        room.append(torch.cuda.device_count() / scheduling.gpu)
    return max(1, int(min(room) + 1e-6))

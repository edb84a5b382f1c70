"""The Ray task that runs one trained model in a worker process: one pass over its data set. It writes
nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pipeline.cluster.shares import device_of, threads_of
from pipeline.scoring import pictures
from pipeline.scoring.computation import BatchByBatch, Score, reason
from pipeline.scoring.model_arrays import facts_of, model_arrays
from pipeline.store.layout import Store
from pipeline.study.expansion import needs_of
from pipeline.study.metric_call import MetricCall
from pipeline.study.model import images_of, load_model, sampler_of
from pipeline.study.params import Scheduling
from pipeline.study.trial import Trial

__all__ = ["ModelResult", "run_model"]


@dataclass(frozen=True)
class ModelResult:
    """What running a model gave, besides arrays."""

    facts: dict[str, float]
    """dimensions and bin_width"""
    scores: dict[str, Score]
    """Of the metrics of images."""
    failures: dict[str, str]
    """Metric of images -> why it has no value."""
    pictures: dict[str, bytes]
    seconds: float


def run_model(
    config: Mapping[str, Any],
    arrays: Sequence[str],
    of_images: Sequence[MetricCall],
    *,
    draw: bool,
    root: str,
    batch_size: int,
    samples: int,
    scheduling: Mapping[str, Any],
) -> Any:
    """The :class:`ModelResult` of a finished trial, then its ``arrays``: a tuple, which Ray splits.

    Args:
        arrays: names of arrays of the model's pass, real and samples.
        of_images: metrics that are computed batch by batch.
        draw: whether to make its pictures.
        samples: most images in real and in samples.
    """
    began = time.perf_counter()
    shares = Scheduling(**scheduling)
    device = device_of(shares)
    torch.set_num_threads(threads_of(shares))
    store, trial = Store(Path(root)), Trial.from_config(config)
    ready = store.read_ready(trial.dataset)
    family, rows = load_model(trial, ready, store), ready.test
    sampler = sampler_of(ready, images_of(ready), needs_of(trial.family, trial.hyper))
    drawn = pictures.draw(family, sampler, rows) if draw else {}
    batched = {call.name: BatchByBatch(call) for call in of_images}
    found = model_arrays(
        arrays,
        family,
        sampler,
        rows,
        key=trial.key,
        batch_size=batch_size,
        largest=samples,
        device=device,
        watch=[metric.add for metric in batched.values()],
    )
    scores, failures = {}, {}
    for name, metric in batched.items():
        try:
            scores[name] = metric.result(rows is not None)
        except Exception as error:
            failures[name] = reason(error)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # other trials share the device, and this process stays
    facts = facts_of(family, sampler)
    result = ModelResult(facts, scores, failures, drawn, time.perf_counter() - began)
    return (result, *(found[name] for name in arrays)) if arrays else result

"""What Ray runs in a worker process to see what a trained model does: one pass over its data set. It writes nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.cluster.shares import device_of, threads_of
from pipeline.scoring import encoding, pictures, sampling
from pipeline.scoring.computation import BatchByBatch, Score, reason, seed_of
from pipeline.store.layout import Store
from pipeline.study.expansion import needs_of
from pipeline.study.model import images_of, load_model, sampler_of
from pipeline.study.params import Scheduling
from pipeline.study.trial import Trial

__all__ = ["Seen", "run_model"]


@dataclass(frozen=True)
class Seen:
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
    of_images: Mapping[str, tuple[Mapping[str, Any], set[str]]],
    *,
    draw: bool,
    root: str,
    batch_size: int,
    samples: int,
    scheduling: Mapping[str, Any],
) -> Any:
    """What was seen of a finished trial, then each of the ``arrays``: a tuple, which Ray takes apart.

    Args:
        arrays: of codes, mean, std, rate, rate_per_group, distortion, real, samples.
        of_images: metrics that are computed batch by batch -> their settings and the arrays they take.
        draw: whether its pictures are to be made.
        samples: the most images that real and samples may hold.
    """
    began = time.perf_counter()
    shares = Scheduling(**scheduling)
    device = device_of(shares)
    torch.set_num_threads(threads_of(shares))
    store, trial = Store(Path(root)), Trial.from_config(config)
    ready = store.read_ready(trial.dataset)
    family, images, rows = load_model(trial, ready, store), images_of(ready), ready.test
    sampler = sampler_of(ready, images, needs_of(trial.family, trial.hyper))
    drawn = pictures.draw(family, sampler, rows) if draw else {}
    metrics = {name: BatchByBatch(name, settings, takes) for name, (settings, takes) in of_images.items()}
    found: dict[str, np.ndarray] = {}
    passed = [name for name in arrays if name not in ("real", "samples")]
    if passed or metrics:
        found = encoding.collect(
            family,
            sampler,
            passed,
            batch_size=batch_size,
            seed=seed_of(trial.key, "posterior samples"),
            rows=rows,
            device=device,
            watch=[metric.add for metric in metrics.values()],
        )
    count = min(samples, len(images) if rows is None else int(rows.sum()))
    if "real" in arrays:
        found["real"] = sampling.real(images, rows, count, seed_of(trial.key, "real images"))
    if "samples" in arrays:
        seed = seed_of(trial.key, "prior samples")
        found["samples"] = sampling.samples(
            family, count, seed, batch_size=batch_size, sampler=sampler, rows=rows, device=device
        )
    scores, failures = {}, {}
    for name, metric in metrics.items():
        try:
            scores[name] = metric.result(rows is not None)
        except Exception as error:
            failures[name] = reason(error)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # other trials share the device, and this process stays
    facts = {"dimensions": int(np.prod(images.shape)), "bin_width": family.bin_width}
    seen = Seen(facts, scores, failures, drawn, time.perf_counter() - began)
    return (seen, *(found[name] for name in arrays)) if arrays else seen

"""The metrics of one trained model: which arrays each takes, on which rows, and its values.

A metric names what it needs by its parameters (``metrics.arrays`` has the shapes):

    codes, mean, std        what the encoder says            rate, distortion    nats per image
    images, reconstructions in and out, [0, 1]               dimensions          C·H·W
    factors, labels         ground truth, where there is     test                rows held out from training, or None
    rng                     a generator of the trial's and the metric's own
    bin_width               of one of 256 grey levels where the likelihood is a density on [0, 1]; 1 where it is a probability

The folder a metric is in says which rows it gets: what judges a model on unseen images (reconstruction, rate) gets the
held-out rows where the data set has some; what looks at the whole code (disentanglement) gets all; representation gets
all and the ``test`` mask, and splits them itself.

Reconstructions of a large data set fit in no memory, so a metric of images is called batch by batch and its values are
averaged, weighted by the number of images: it must be a mean over images, as MSE and PSNR are.
"""

from __future__ import annotations

import hashlib
import inspect
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import metrics
from pipeline.encoding import Batch, encode
from vaecore.families import Family
from vaecore.images import Images
from vaecore.likelihoods import Gaussian

__all__ = ["Data", "Score", "applicable", "score", "seed_of"]

BY_BATCH = {"images", "reconstructions"}
ALWAYS = {"codes", "mean", "std", "rate", "distortion", "dimensions", "bin_width", "rng", "test", *BY_BATCH}
GROUND_TRUTH = {"factors", "labels"}
HELD_OUT = {"reconstruction", "rate"}
"""Folders whose metrics judge unseen images."""


@dataclass(frozen=True)
class Data:
    """A data set as metrics see it."""

    images: Images
    factors: np.ndarray | None
    labels: np.ndarray | None
    test: np.ndarray | None

    @property
    def held_out(self) -> np.ndarray | None:
        """bool [N]; None where no row is."""
        return self.test if self.test is not None and self.test.any() else None


@dataclass(frozen=True)
class Score:
    """One metric of one trial."""

    values: dict[str, float]
    split: str
    """The rows it was computed on: "test", "train" or "all"."""
    seconds: float


def arguments(name: str) -> set[str]:
    """The arrays that a metric takes. Raises ValueError where it asks for what there is not."""
    function = metrics.function(name)
    file = f"{function.__module__.replace('.', '/')}.py"
    taken = set()
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in ALWAYS | GROUND_TRUTH:
            taken.add(parameter.name)
        elif parameter.kind is not parameter.KEYWORD_ONLY:
            raise ValueError(
                f"{file}: parameter {parameter.name!r} is no array that there is. There are: "
                f"{', '.join(sorted(ALWAYS | GROUND_TRUTH))}. A setting belongs after the `*`, with a default."
            )
    if taken & BY_BATCH and taken - BY_BATCH:
        raise ValueError(
            f"{file}: a metric of images gets them batch by batch, and so it can take nothing else; "
            f"it asks for: {', '.join(sorted(taken - BY_BATCH))}."
        )
    return taken


def applicable(names: Mapping[str, Any], *, factors: bool, labels: bool) -> list[str]:
    """Those of the metrics whose ground truth a data set has."""
    missing = {name for name, present in (("factors", factors), ("labels", labels)) if not present}
    return [name for name in names if not arguments(name) & missing]


def seed_of(key: str, purpose: str) -> int:
    """A seed of one trial's own for one purpose."""
    return int.from_bytes(hashlib.sha256(f"{key} {purpose}".encode()).digest()[:8])


def score(
    family: Family,
    data: Data,
    wanted: Mapping[str, Mapping[str, Any]],
    *,
    key: str,
    batch_size: int,
    device: str = "cpu",
) -> tuple[dict[str, Score], dict[str, str]]:
    """The metrics ``wanted`` (name -> settings), and, of those that raised an error instead, the reason.

    The model is run once over the data, and only as far as the metrics need it.
    """
    needs = {name: arguments(name) for name in wanted}
    by_batch = {name: _ByBatch(name, wanted[name]) for name in wanted if needs[name] & BY_BATCH}
    everything: set[str] = set().union(*needs.values())
    mean, std, rate, distortion = [], [], [], []
    batches = encode(
        family,
        data.images,
        batch_size=batch_size,
        seed=seed_of(key, "posterior samples"),
        rows=data.held_out,
        distortion="distortion" in everything,
        reconstructions=bool(by_batch),
        device=device,
    )
    for batch in batches:
        mean.append(batch.mean)
        std.append(batch.std)
        rate.append(batch.rate)
        if batch.distortion is not None:
            distortion.append(batch.distortion)
        for metric in by_batch.values():
            metric.add(batch)
    codes = np.concatenate(mean)
    # [N, ...], of which some metrics get the held-out rows; distortion is of those rows already.
    by_row = {
        "codes": codes,
        "mean": codes,
        "std": np.concatenate(std),
        "rate": np.concatenate(rate),
        "factors": data.factors,
        "labels": data.labels,
        "test": data.test,
    }
    others = {
        "distortion": np.concatenate(distortion) if distortion else None,
        "dimensions": int(np.prod(data.images.shape)),
        "bin_width": 1 / 255 if isinstance(family.autoencoder.likelihood, Gaussian) else 1.0,
    }
    folders = metrics.names()
    scores: dict[str, Score] = {}
    failures: dict[str, str] = {}
    for name, settings in wanted.items():
        rows = data.held_out if folders[name] in HELD_OUT else None
        given: dict[str, Any] = {**others, "rng": np.random.default_rng(seed_of(key, name))}
        for argument in needs[name] & by_row.keys():
            array = by_row[argument]
            given[argument] = array if array is None or rows is None else array[rows]
        given = {argument: given[argument] for argument in needs[name] - BY_BATCH}
        began = time.perf_counter()
        try:
            if name in by_batch:
                values, seconds = by_batch[name].result()
            else:
                values = metrics.function(name)(**(given | dict(settings)))
                seconds = time.perf_counter() - began
        except Exception as error:
            failures[name] = _reason(error)
            continue
        values = {metric: float(value) for metric, value in values.items()}
        scores[name] = Score(values, _split(folders[name], data), round(seconds, 4))
    return scores, failures


def _reason(error: Exception) -> str:
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(where.filename).name}, line {where.lineno})"


def _split(folder: str, data: Data) -> str:
    if folder in HELD_OUT:
        return "train" if data.held_out is None else "test"
    return "test" if folder == "representation" else "all"


class _ByBatch:
    """A metric that is a mean over images, called batch by batch."""

    def __init__(self, name: str, settings: Mapping[str, Any]) -> None:
        self.function = metrics.function(name)
        self.settings = settings
        self.takes = arguments(name)
        self.sums: dict[str, float] = {}
        self.images = 0
        self.seconds = 0.0
        self.error: Exception | None = None

    def add(self, batch: Batch) -> None:
        if batch.images is None or self.error is not None:
            return
        began = time.perf_counter()
        given = {"images": batch.images, "reconstructions": batch.reconstructions}
        try:
            values = self.function(**{name: given[name] for name in self.takes}, **self.settings)
        except Exception as error:  # told when its turn comes; the other metrics go on
            self.error = error
            return
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + len(batch.images) * float(value)
        self.images += len(batch.images)
        self.seconds += time.perf_counter() - began

    def result(self) -> tuple[dict[str, float], float]:
        if self.error is not None:
            raise self.error
        return {name: total / self.images for name, total in self.sums.items()}, self.seconds

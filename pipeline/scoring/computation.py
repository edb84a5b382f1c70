"""One metric of one trained model: the rows it is computed on, its random numbers, and its values.

A metric's folder determines its rows. Metrics that judge a model on unseen images (reconstruction, rate,
samples) get the held-out rows, if the data set has some. Metrics of the whole code (disentanglement) get all
rows. Metrics of representation get all rows and the ``test`` mask, and split them themselves.

Reconstructions of a large data set may not fit into memory. A metric of images is therefore computed batch by
batch, and its values are averaged, weighted by the number of images: it must be a mean over images, as MSE
and PSNR are.

Each pair of trial and metric has random numbers of its own. A value depends on no other metric, on no other
trial, and not on when or where it is computed.
"""

from __future__ import annotations

import hashlib
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import metrics
from metrics.vocabulary import ARRAYS
from pipeline.study.metric_call import MetricCall

__all__ = ["BatchByBatch", "Score", "reason", "score", "seed_of", "split_of"]

HELD_OUT = {"reconstruction", "rate", "samples"}
"""Folders whose metrics judge unseen images."""


@dataclass(frozen=True)
class Score:
    """One metric of one trial."""

    values: dict[str, float]
    split: str
    """The rows it was computed on: "test", "train" or "all"."""
    seconds: float


def seed_of(key: str, purpose: str) -> int:
    """A seed of one trial's own for one purpose."""
    return int.from_bytes(hashlib.sha256(f"{key} {purpose}".encode()).digest()[:8])


def score(call: MetricCall, arrays: Mapping[str, Any], *, held_out: np.ndarray | None, key: str) -> Score:
    """A metric of the trial ``key``.

    Args:
        arrays: those that it needs, by name, without rng. Rows are all images, or the held-out ones alone
        where
            the vocabulary says so.
        held_out: bool [N]; None if no row is held out.
    """
    given = dict(arrays)
    if metrics.names()[call.name] in HELD_OUT and held_out is not None:
        for name, array in arrays.items():
            if ARRAYS[name].per_image and not ARRAYS[name].held_out:
                given[name] = ARRAYS[name].rows(array, held_out)
    rng = np.random.default_rng(seed_of(key, call.name))
    began = time.perf_counter()
    values = call(given, rng)
    seconds = time.perf_counter() - began
    return Score(_floats(values), split_of(call.name, held_out is not None), round(seconds, 4))


def split_of(name: str, held_out: bool) -> str:
    """The rows that a metric is computed on. ``held_out`` is whether the data set has held-out rows."""
    folder = metrics.names()[name]
    if folder in HELD_OUT:
        return "test" if held_out else "train"
    return "test" if folder == "representation" else "all"


def reason(error: BaseException) -> str:
    """What went wrong and where, in a line."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(where.filename).name}, line {where.lineno})"


class BatchByBatch:
    """A metric of images: a mean over them, computed batch by batch."""

    def __init__(self, call: MetricCall) -> None:
        self.call = call
        self.sums: dict[str, float] = {}
        self.images = 0
        self.seconds = 0.0
        self.error: Exception | None = None

    def add(self, images: np.ndarray, reconstructions: np.ndarray) -> None:
        """Compute the metric of a batch of each, [B, C, H, W].

        An error is kept for :meth:`result`, so that other metrics go on.
        """
        if self.error is not None:
            return
        began = time.perf_counter()
        batch = {"images": images, "reconstructions": reconstructions}
        try:
            values = self.call({name: batch[name] for name in self.call.arrays})
        except Exception as error:
            self.error = error
            return
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + len(images) * float(value)
        self.images += len(images)
        self.seconds += time.perf_counter() - began

    def result(self, held_out: bool) -> Score:
        """Its score over all images. Raises the error of the first batch that failed."""
        if self.error is not None:
            raise self.error
        values = {name: total / self.images for name, total in self.sums.items()}
        return Score(_floats(values), split_of(self.call.name, held_out), round(self.seconds, 4))


def _floats(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}

"""One metric of one trained model: on which rows it is computed, with which randomness, and its values.

The folder a metric is in says which rows it gets: what judges a model on unseen images (reconstruction, rate, samples)
gets the held-out rows where the data set has some; what looks at the whole code (disentanglement) gets all;
representation gets all and the ``test`` mask, and splits them itself.

Reconstructions of a large data set fit in no memory, so a metric of images is called batch by batch and its values are
averaged, weighted by the number of images: it must be a mean over images, as MSE and PSNR are.

A metric's random numbers are the trial's and its own: its value depends on no other metric, no other trial, and not on when or
where it is computed.
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
from metrics import uncertainty

__all__ = ["BatchByBatch", "Score", "reason", "score", "seed_of", "split_of"]

HELD_OUT = {"reconstruction", "rate", "samples"}
"""Folders whose metrics judge unseen images."""
BY_ROW = {"codes", "mean", "std", "rate", "rate_per_group", "factors", "labels", "targets", "test"}
"""[N, ...] of all images; distortion and real come of the held-out rows alone."""
BY_PEER = {"peer_mean", "peer_std"}
"""[P, N, ...]"""


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


def score(
    name: str,
    settings: Mapping[str, Any],
    arrays: Mapping[str, Any],
    *,
    interval: Mapping[str, Any],
    held_out: np.ndarray | None,
    key: str,
) -> Score:
    """The metric ``name`` of the trial ``key``.

    Args:
        settings: the metric's own.
        arrays: what it takes, by name, of all images; without rng.
        interval: how its values' intervals are found (``metrics.uncertainty``); empty where none are asked for.
        held_out: bool [N]; None where no row is.
    """
    folder = metrics.names()[name]
    given = {argument: array for argument, array in arrays.items() if argument not in settings}
    if folder in HELD_OUT and held_out is not None:
        given |= {argument: given[argument][held_out] for argument in given.keys() & BY_ROW}
        given |= {argument: given[argument][:, held_out] for argument in given.keys() & BY_PEER}
    rng = np.random.default_rng(seed_of(key, name))
    began = time.perf_counter()
    if interval:
        values = uncertainty.interval(name, given, rng, **interval, **settings)
    else:
        function = metrics.function(name)
        if "rng" in inspect.signature(function).parameters:
            given["rng"] = rng
        values = function(**given, **settings)
    seconds = time.perf_counter() - began
    return Score(_floats(values), split_of(name, held_out is not None), round(seconds, 4))


def split_of(name: str, held_out: bool) -> str:
    """The rows that a metric is computed on, where some are held out and where none are."""
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

    def __init__(self, name: str, settings: Mapping[str, Any], takes: set[str]) -> None:
        self.name = name
        self.settings = settings
        self.takes = takes
        self.function = metrics.function(name)
        self.sums: dict[str, float] = {}
        self.images = 0
        self.seconds = 0.0
        self.error: Exception | None = None

    def add(self, images: np.ndarray, reconstructions: np.ndarray) -> None:
        """Take in a batch of each, [B, C, H, W]. What fails is told by :meth:`result`: other metrics go on."""
        if self.error is not None:
            return
        began = time.perf_counter()
        given = {"images": images, "reconstructions": reconstructions}
        try:
            values = self.function(**{name: given[name] for name in self.takes}, **self.settings)
        except Exception as error:
            self.error = error
            return
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + len(images) * float(value)
        self.images += len(images)
        self.seconds += time.perf_counter() - began

    def result(self, held_out: bool) -> Score:
        """Its score over all images; raises what one of the batches raised."""
        if self.error is not None:
            raise self.error
        values = {name: total / self.images for name, total in self.sums.items()}
        return Score(_floats(values), split_of(self.name, held_out), round(self.seconds, 4))


def _floats(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}

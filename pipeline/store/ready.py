"""A prepared data set: its arrays and its meta data.

    images        uint8 [N, C, H, W], memory-mapped, or bit-packed rows [N, ceil(C H W / 8)]
    factors       int [N, K]        the factors of variation of each image
    labels        int [N]           the class of each image
    attributes    float32 [N, A]    continuous properties of each image
    split         uint8 [N]         0 train, 1 validation, 2 test
    picture       uint8 [3, H', W'] the background of scream_dsprites

All but the images are optional.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

__all__ = ["TEST", "TRAIN", "VALIDATION", "Ready"]

TRAIN, VALIDATION, TEST = 0, 1, 2
"""Values of ``split``."""


@dataclass(frozen=True)
class Ready:
    """A prepared data set. ``meta["storage"]`` says whether images are "uint8" or packed "bits"."""

    name: str
    meta: dict[str, Any]
    images: np.ndarray
    factors: np.ndarray | None
    labels: np.ndarray | None
    split: np.ndarray | None
    """uint8 [N], as ``pipeline.data.arrays.holdout`` draws it; None if every image is trained on."""
    attributes: np.ndarray | None = None
    """float32 [N, A]"""
    picture: np.ndarray | None = None
    """uint8 [3, H', W']"""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        channels, height, width = self.meta["shape"]
        return channels, height, width

    def __len__(self) -> int:
        return len(self.images)

    @property
    def train_rows(self) -> np.ndarray | None:
        """int64 numbers of the rows to train on; None means all."""
        return None if self.split is None else np.flatnonzero(self.split == TRAIN)

    @cached_property
    def test(self) -> np.ndarray | None:
        """bool [N]: the rows of the test part; None if there is no test part."""
        test = None if self.split is None else self.split == TEST
        return test if test is not None and test.any() else None

    @property
    def classes(self) -> int | None:
        """Number of classes; None without labels."""
        return None if self.labels is None else int(self.numbers("labels").max()) + 1

    @property
    def factor_sizes(self) -> list[int] | None:
        """Number of values of each factor; None without factors."""
        return (
            None if self.factors is None else [int(most) + 1 for most in self.numbers("factors").max(axis=0)]
        )

    def numbers(self, name: str) -> np.ndarray:
        """``"labels"`` [N] or ``"factors"`` [N, K] as int64 ranks, from 0, among the values that occur."""
        return self._numbers[name]

    @cached_property
    def _numbers(self) -> dict[str, np.ndarray]:
        found = {}
        for name in ("labels", "factors"):
            values = getattr(self, name)
            if values is not None:
                columns = values if values.ndim == 2 else values[:, None]
                ranks = [np.unique(column, return_inverse=True)[1] for column in columns.T]
                found[name] = np.stack(ranks, axis=1).astype(np.int64).reshape(values.shape)
        return found

    @property
    def targets(self) -> np.ndarray | None:
        """What a probe predicts from codes: the labels [N]; without labels, the factors [N, K]."""
        return self.factors if self.labels is None else self.labels

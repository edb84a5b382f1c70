"""Batches: the images that a training step uses, and the sampler that draws them from a data set.

    row_b ~ uniform over the training rows, with replacement
    x_b = image(row_b), label_b = label(row_b), ...

A sampler computes rows by index arithmetic on the device, without a host sync, so that a step that draws its
batch can be captured (``vaecore.capture``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from vaecore.images import Images

__all__ = ["Batch", "Sampler"]


class Batch(NamedTuple):
    """B images, with the labels or factors that their family needs."""

    x: Tensor
    """float32 [B, C, H, W] in [0, 1]"""
    label: Tensor | None = None
    """int64 [B], class numbers from 0."""
    factors: Tensor | None = None
    """int64 [B, K], the number of each factor's value, from 0."""

    def part(self, rows: Tensor | slice) -> Batch:
        """Some of the images."""
        return self._each(lambda array: array[rows])

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on ``device``."""
        return self._each(lambda array: array.to(device))

    def repeated(self, k: int) -> Batch:
        """k copies of the batch, one after the other, [k B, ...]."""
        return self._each(lambda array: array.repeat(k, *[1] * (array.ndim - 1)))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        label, factors = (None if array is None else change(array) for array in (self.label, self.factors))
        return Batch(change(self.x), label, factors)


class Sampler:
    """Draws batches from a data set of N images, or from a part of its rows."""

    def __init__(
        self,
        images: Images,
        *,
        labels: Tensor | None = None,
        factors: Tensor | None = None,
        rows: Tensor | None = None,
    ) -> None:
        """``labels`` int64 [N], ``factors`` int64 [N, K]; ``rows`` int64 [n] to draw from, None is all."""
        for name, array in (("labels", labels), ("factors", factors)):
            if array is not None and len(array) != len(images):
                raise ValueError(
                    f"there are {len(images)} images and {len(array)} {name}: give one of each per image"
                )
        if len(images if rows is None else rows) == 0:
            raise ValueError("there is no image to train on")
        self.images = images
        self.labels = labels
        self.factors = factors
        self.rows = rows

    def __len__(self) -> int:
        """The number of rows to draw from."""
        return len(self.images if self.rows is None else self.rows)

    def to(self, device: torch.device | str) -> Sampler:
        """The same sampler on ``device``."""
        others = (self.labels, self.factors, self.rows)
        labels, factors, rows = (None if each is None else each.to(device) for each in others)
        return Sampler(self.images.to(device), labels=labels, factors=factors, rows=rows)

    def part(self, start: int, stop: int) -> Sampler:
        """A sampler of the images ``start`` to ``stop``, with the same pixels as here."""
        parts = (None if each is None else each[start:stop] for each in (self.labels, self.factors))
        labels, factors = parts
        return Sampler(self.images.part(start, stop), labels=labels, factors=factors)

    def draw(self, batch_size: int, generator: torch.Generator) -> Batch:
        """``batch_size`` rows, uniformly, with replacement."""
        options = {"generator": generator, "device": generator.device}
        chosen = torch.randint(len(self), (batch_size,), **options)  # type: ignore[call-overload]
        salt = None
        if self.images.nuisance is not None:  # an image is coloured anew each time that it is drawn
            salt = torch.randint(1 << 31, (batch_size,), **options)  # type: ignore[call-overload]
        return self.batch(chosen if self.rows is None else self.rows[chosen], salt)

    def batch(self, rows: Tensor, salt: Tensor | None = None) -> Batch:
        """The images ``rows`` (int64 [B]); ``salt`` (int [B]) seeds a nuisance (``Images.batch``)."""
        return Batch(
            self.images.batch(rows, salt),
            None if self.labels is None else self.labels[rows],
            None if self.factors is None else self.factors[rows],
        )

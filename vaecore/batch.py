"""Batches: what a step sees, and how a data set's sampler draws them.

    row_b ~ uniform over the rows to train on, with replacement;   x_b = image(row_b), label_b = label(row_b), ...

A sampler finds rows by index arithmetic on the device and asks the host nothing, so that a step that draws its batch can be
captured (``vaecore.capture``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from vaecore.images import Images

__all__ = ["Batch", "Sampler"]


class Batch(NamedTuple):
    """B images, and what is known of them that their family needs."""

    x: Tensor
    """float32 [B, C, H, W] in [0, 1]"""
    label: Tensor | None = None
    """int64 [B], class numbers from 0."""
    factors: Tensor | None = None
    """int64 [B, K], the number of each factor's value, from 0."""

    def part(self, rows: Tensor | slice) -> Batch:
        """Some of the images."""
        return self._each(lambda known: known[rows])

    def to(self, device: torch.device | str) -> Batch:
        """The same on ``device``."""
        return self._each(lambda known: known.to(device))

    def repeated(self, k: int) -> Batch:
        """Every image k times, [k B, ...]: all of them once, then all again."""
        return self._each(lambda known: known.repeat(k, *[1] * (known.ndim - 1)))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        label, factors = (None if known is None else change(known) for known in (self.label, self.factors))
        return Batch(change(self.x), label, factors)


class Sampler:
    """Draws batches from a data set of N images, or from some of its rows."""

    def __init__(
        self,
        images: Images,
        *,
        labels: Tensor | None = None,
        factors: Tensor | None = None,
        rows: Tensor | None = None,
    ) -> None:
        """``labels`` int64 [N], ``factors`` int64 [N, K]; ``rows`` (int64 [n]): those to draw, None is all."""
        for name, known in (("labels", labels), ("factors", factors)):
            if known is not None and len(known) != len(images):
                raise ValueError(
                    f"there are {len(images)} images and {len(known)} {name}: give one of each per image"
                )
        if len(images if rows is None else rows) == 0:
            raise ValueError("there is no image to train on")
        self.images = images
        self.labels = labels
        self.factors = factors
        self.rows = rows

    def __len__(self) -> int:
        """The number of rows that are drawn from."""
        return len(self.images if self.rows is None else self.rows)

    def to(self, device: torch.device | str) -> Sampler:
        """The same on ``device``."""
        others = (self.labels, self.factors, self.rows)
        labels, factors, rows = (None if each is None else each.to(device) for each in others)
        return Sampler(self.images.to(device), labels=labels, factors=factors, rows=rows)

    def part(self, start: int, stop: int) -> Sampler:
        """Of some consecutive images, all of their rows; they look as they do among all."""
        known = (None if each is None else each[start:stop] for each in (self.labels, self.factors))
        labels, factors = known
        return Sampler(self.images.part(start, stop), labels=labels, factors=factors)

    def draw(self, batch_size: int, generator: torch.Generator) -> Batch:
        """``batch_size`` rows, uniformly, with replacement."""
        options = {"generator": generator, "device": generator.device}
        chosen = torch.randint(len(self), (batch_size,), **options)  # type: ignore[call-overload]
        salt = None
        if self.images.nuisance is not None:  # each time an image is drawn it is dressed anew
            salt = torch.randint(1 << 31, (batch_size,), **options)  # type: ignore[call-overload]
        return self.batch(chosen if self.rows is None else self.rows[chosen], salt)

    def batch(self, rows: Tensor, salt: Tensor | None = None) -> Batch:
        """The images ``rows`` (int64 [B]); ``salt``: int [B], what a nuisance is drawn by (``Images.batch``)."""
        return Batch(
            self.images.batch(rows, salt),
            None if self.labels is None else self.labels[rows],
            None if self.factors is None else self.factors[rows],
        )

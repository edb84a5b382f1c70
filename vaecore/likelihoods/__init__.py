"""Likelihoods p(x | z): the decoder's output as a density over images, one file each.

    x, decoder(z)   [B, C, H, W], x in [0, 1]
    log p(x | z)    [B] in nats with every constant: of a probability, or of a density with respect to dx

Everything is float32, under autocast too: bfloat16 is too coarse for sums over thousands of pixels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn

from vaecore.members import Folder
from vaecore.options import Option

__all__ = ["LIKELIHOODS", "Likelihood", "make", "names"]


class Likelihood(nn.Module, ABC):
    options: ClassVar[Mapping[str, Option]] = {}
    bin_width: ClassVar[float]
    """The factor per value that turns a density into the probability of a stored 8-bit image: 1/255 for a
    density on [0, 1], and 1 for a probability (``metrics.rate.bits_per_dim``)."""

    @abstractmethod
    def log_prob(self, x: Tensor, params: Tensor) -> Tensor:
        """log p(x | z) in nats, float32 [B]; images x and the decoder's output ``params`` [B, C, H, W]."""

    @abstractmethod
    def mean(self, params: Tensor) -> Tensor:
        """The expected image, float32 [B, C, H, W], in data units."""

    def terms(self) -> dict[str, Tensor]:
        """The learned quantities to record, each []."""
        return {}


LIKELIHOODS = Folder(__name__, Likelihood, "likelihood", "likelihoods")
names = LIKELIHOODS.names
make = LIKELIHOODS.make

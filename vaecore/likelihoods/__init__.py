"""Likelihoods p(x | z): the decoder's output as a density over images, in nats with every constant; one file each.

    x, decoder(z)   [B, C, H, W], x in [0, 1]
    log p(x | z)    [B] in nats: of a probability, or of a density with respect to dx

Everything is float32, under autocast too: sums over thousands of pixels are not for bfloat16.
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
    """What a density has to be multiplied by, per value, to be the probability of a stored 8-bit image: 1/255 for a density on
    [0, 1], and 1 for what is a probability already (``metrics.rate.bits_per_dim``)."""

    @abstractmethod
    def log_prob(self, x: Tensor, params: Tensor) -> Tensor:
        """log p(x | z) in nats, float32 [B], from images x and the decoder's output ``params``, both [B, C, H, W]."""

    @abstractmethod
    def mean(self, params: Tensor) -> Tensor:
        """The expected image, float32 [B, C, H, W], in data units."""

    def terms(self) -> dict[str, Tensor]:
        """Learned quantities of its own worth a curve, each []."""
        return {}


LIKELIHOODS = Folder(__name__, Likelihood, "likelihood", "likelihoods")
names = LIKELIHOODS.names
make = LIKELIHOODS.make

"""Networks: an encoder and a decoder for images of one shape, one file each.

    encoder    images [B, C, H, W] -> numbers [B, E], the posterior's parameters
    decoder    codes [B, L]        -> the likelihood's parameters [B, C, H, W]: logits of Bernoulli, means of
                                   Gaussian pixels

H = W from 8 to 128, C 1 or 3. A conditioned encoder has one more channel: labels or factors as a plane beside
the image. Every layer but the last is followed by a ReLU.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from torch import nn

from vaecore.members import Folder
from vaecore.options import Option

__all__ = ["NETWORKS", "Network", "Shape", "check_shape", "make", "names"]

Shape = tuple[int, int, int]
SIZES = (8, 128)


class Network(ABC):
    options: ClassVar[Mapping[str, Option]] = {}
    initialization: ClassVar[str]
    """The default initialization: that of its publication, if that is known."""

    @abstractmethod
    def encoder(self, shape: Shape, outputs: int) -> nn.Sequential:
        """[B, C, H, W] -> [B, outputs]."""

    @abstractmethod
    def decoder(self, latents: int, shape: Shape) -> nn.Sequential:
        """[B, latents] -> [B, C, H, W]: the encoder mirrored."""


NETWORKS = Folder(__name__, Network, "network", "networks")
names = NETWORKS.names
make = NETWORKS.make


def check_shape(image_shape: Shape) -> None:
    """Raise a ValueError for images that networks do not support."""
    C, H, W = image_shape
    if C not in (1, 3):
        raise ValueError(f"networks take images of 1 or 3 channels, got {C} (shape {tuple(image_shape)})")
    if H != W or not SIZES[0] <= H <= SIZES[1]:
        raise ValueError(
            f"networks take square images from {SIZES[0]}×{SIZES[0]} to {SIZES[1]}×{SIZES[1]}, got {H}×{W}: "
            f"set the data set's image_size, or prepare it at such a size"
        )

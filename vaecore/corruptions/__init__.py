"""Corruptions: how training changes an image before the encoder sees it, one file each.

    z ~ q(z | c(x)),   distortion -log p(x | z) of the clean x

Every family accepts a corruption (``model.corruption``): an ``ae`` with ``noise`` is the denoising
autoencoder, a ``beta_vae`` with ``noise`` a denoising β-VAE. Evaluation encodes clean images: codes and bound
are those of x itself.

P. Vincent, H. Larochelle, Y. Bengio, P.-A. Manzagol, Extracting and Composing Robust Features with Denoising
Autoencoders, 2008, ICML, https://doi.org/10.1145/1390156.1390294.

D. J. Im, S. Ahn, R. Memisevic, Y. Bengio, Denoising Criterion for Variational Auto-Encoding Framework, 2017,
arXiv:1511.06406.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from vaecore.members import Folder
from vaecore.noise import Shapes
from vaecore.options import Option

__all__ = ["CORRUPTIONS", "Corruption", "make", "names"]


class Corruption(ABC):
    options: ClassVar[Mapping[str, Option]] = {}

    @abstractmethod
    def noise(self, shape: tuple[int, int, int, int]) -> Shapes:
        """Shapes of the noise that corrupting images [B, C, H, W] needs."""

    @abstractmethod
    def __call__(self, x: Tensor, noise: Mapping[str, Tensor]) -> Tensor:
        """Images x [B, C, H, W] as the encoder sees them, of the same shape."""


CORRUPTIONS = Folder(__name__, Corruption, "corruption", "corruptions")
names = CORRUPTIONS.names
make = CORRUPTIONS.make

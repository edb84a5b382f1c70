"""Corruptions: what training does to an image before the encoder sees it; one file each.

    z ~ q(z | c(x)),   distortion -log p(x | z) of the clean x

Any family may be trained so (``model.corruption``): an ``ae`` with ``noise`` is the denoising autoencoder, a ``beta_vae`` with it a
denoising β-VAE. Evaluation encodes clean images: the codes and the bound are those of x itself.

P. Vincent, H. Larochelle, Y. Bengio, P.-A. Manzagol, Extracting and Composing Robust Features with Denoising Autoencoders, 2008, ICML.
D. J. Im, S. Ahn, R. Memisevic, Y. Bengio, Denoising Criterion for Variational Auto-Encoding Framework, 2017, arXiv:1511.06406.
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
        """What corrupting images [B, C, H, W] needs drawn."""

    @abstractmethod
    def __call__(self, x: Tensor, noise: Mapping[str, Tensor]) -> Tensor:
        """What the encoder sees of images x [B, C, H, W]: the same shape."""


CORRUPTIONS = Folder(__name__, Corruption, "corruption", "corruptions")
names = CORRUPTIONS.names
make = CORRUPTIONS.make

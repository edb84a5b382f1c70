"""Initializations: what weights and biases start from; one file each.

    fan_in, fan_out     numbers of a layer's inputs and outputs that one weight connects, as PyTorch counts them: for a weight
                        [a, b, k, k] they are b k² and a k², of a transposed convolution too, whose weight is [c_in, c_out, k, k]

Where a network's publication says how its weights started, that is the network's default (``Network.initialization``).
How much it decides, on the full redrawn dSprites with ``burgess``, is told in docs/initializations.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, TypeVar

from torch import nn

from vaecore.members import Folder
from vaecore.options import Option

__all__ = ["INITIALIZATIONS", "Initialization", "Layer", "make", "names"]

Layer = nn.Linear | nn.Conv2d | nn.ConvTranspose2d
Module = TypeVar("Module", bound=nn.Module)


class Initialization(ABC):
    options: ClassVar[Mapping[str, Option]] = {}

    @abstractmethod
    def fill(self, layer: Layer) -> None:
        """Draw the weight and the bias of ``layer``, in place, from PyTorch's global generator."""

    def __call__(self, module: Module) -> Module:
        """``module``, with every dense and convolutional layer filled."""
        for layer in module.modules():
            if isinstance(layer, Layer):
                self.fill(layer)
        return module


INITIALIZATIONS = Folder(__name__, Initialization, "initialization", "initializations")
names = INITIALIZATIONS.names
make = INITIALIZATIONS.make

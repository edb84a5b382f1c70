"""Initializations: how weights and biases are drawn before training, one file each.

    fan_in, fan_out     numbers of a layer's inputs and outputs that one weight connects, as PyTorch counts
                        them: for a weight [a, b, k, k] they are b k² and a k². A transposed convolution's
                        weight is [c_in, c_out, k, k], and the same rule holds

The default is the network's own (``Network.initialization``): the initialization of its publication, if that
is known. docs/initializations.md shows how much the choice changes, on the full redrawn dSprites with
``burgess``.
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

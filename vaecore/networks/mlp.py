"""Dense layers of chosen widths.

    encoder    C·H·W, ``hidden``, E
    decoder    L, ``hidden`` reversed, C·H·W

``hidden: []`` is linear. No publication fixes this network's initialization; the default is ``tensorflow``,
as for ``conv``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import nn

from vaecore.layers import dense
from vaecore.networks import Network, Shape
from vaecore.options import Option

__all__ = ["MLP"]


class MLP(Network):
    options: ClassVar[Mapping[str, Option]] = {
        "hidden": Option("widths of the hidden layers", default=(256, 256), low=1, whole=True, several=True)
    }
    initialization = "tensorflow"

    def __init__(self, hidden: Sequence[int]) -> None:
        self.hidden = hidden

    def encoder(self, shape: Shape, outputs: int) -> nn.Sequential:
        return nn.Sequential(nn.Flatten(), *dense((math.prod(shape), *self.hidden, outputs)))

    def decoder(self, latents: int, shape: Shape) -> nn.Sequential:
        widths = (latents, *reversed(self.hidden), math.prod(shape))
        return nn.Sequential(*dense(widths), nn.Unflatten(1, shape))

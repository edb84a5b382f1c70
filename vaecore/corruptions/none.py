"""No corruption: the encoder sees the clean image.

    c(x) = x

It is the default.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from vaecore.corruptions import Corruption
from vaecore.noise import Shapes

__all__ = ["Identity"]


class Identity(Corruption):
    def noise(self, shape: tuple[int, int, int, int]) -> Shapes:
        return {}

    def __call__(self, x: Tensor, noise: Mapping[str, Tensor]) -> Tensor:
        return x

"""Additive Gaussian noise.

    c(x) = x + σ ε,   ε ~ N(0, I)

Every pixel and channel gets fresh noise each time. The result is not clipped to [0, 1].

P. Vincent, H. Larochelle, I. Lajoie, Y. Bengio, P.-A. Manzagol, Stacked Denoising Autoencoders, 2010, JMLR
11:3371, https://www.jmlr.org/papers/v11/vincent10a.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from vaecore.corruptions import Corruption
from vaecore.noise import Shapes
from vaecore.options import Option

__all__ = ["GaussianNoise"]


class GaussianNoise(Corruption):
    options: ClassVar[Mapping[str, Option]] = {
        "sigma": Option("standard deviation of the noise", symbol="σ", low=0)
    }

    def __init__(self, sigma: float) -> None:
        self.sigma = sigma

    def noise(self, shape: tuple[int, int, int, int]) -> Shapes:
        return {"corruption": ("normal", shape)}

    def __call__(self, x: Tensor, noise: Mapping[str, Tensor]) -> Tensor:
        return x + self.sigma * noise["corruption"]

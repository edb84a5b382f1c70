"""A deterministic code: all mass on one point.

    q(z | x) = δ(z - μ(x)),   z = μ,   σ = 0

The encoder's output is μ, L numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from vaecore.noise import Shapes
from vaecore.posteriors import Posterior

__all__ = ["Dirac"]


class Dirac(Posterior):
    outputs_per_latent = 1

    def __init__(self, output: Tensor) -> None:
        self.mean = output.float()
        self.log_variance = torch.full_like(self.mean, -torch.inf)

    @staticmethod
    def noise(batch_size: int, latents: int) -> Shapes:
        return {}

    def sample(self, noise: Mapping[str, Tensor]) -> Tensor:
        return self.mean

    def log_prob(self, z: Tensor) -> Tensor:
        """+inf at the point, -inf elsewhere: no density in z."""
        at = (z == self.mean).all(-1)
        return torch.where(at, torch.inf, -torch.inf)

    @property
    def std(self) -> Tensor:
        return torch.zeros_like(self.mean)

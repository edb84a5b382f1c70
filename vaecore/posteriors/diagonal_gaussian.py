"""Independent Gaussian latents.

    q(z | x) = Π_l N(z_l; μ_l(x), σ_l²(x)),   z = μ + σ ε,  ε ~ N(0, I)

The encoder's output is (μ, log σ²), 2 L numbers.

D. P. Kingma, M. Welling, Auto-Encoding Variational Bayes, 2014, arXiv:1312.6114.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from vaecore.divergences import gaussian_log_prob
from vaecore.noise import Shapes
from vaecore.posteriors import Posterior

__all__ = ["DiagonalGaussian"]


class DiagonalGaussian(Posterior):
    outputs_per_latent = 2

    def __init__(self, output: Tensor) -> None:
        self.mean, self.log_variance = output.float().chunk(2, dim=1)

    @staticmethod
    def noise(batch_size: int, latents: int) -> Shapes:
        return {"posterior": ("normal", (batch_size, latents))}

    def sample(self, noise: Mapping[str, Tensor]) -> Tensor:
        return torch.addcmul(self.mean, self.std, noise["posterior"])

    def log_prob(self, z: Tensor) -> Tensor:
        return gaussian_log_prob(z, self.mean, self.log_variance).sum(-1)

    @property
    def std(self) -> Tensor:
        return torch.exp(0.5 * self.log_variance)

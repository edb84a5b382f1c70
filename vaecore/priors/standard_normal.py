"""Independent standard normal latents.

p(z) = N(z; 0, I),   log p(z) = -½ Σ_l (z_l² + log 2π)
KL[N(μ, σ²) ‖ N(0, 1)] = ½ (μ² + σ² - log σ² - 1) per latent; +inf for a deterministic code (σ = 0): to send a point of a
continuum exactly costs infinitely many nats
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor

from vaecore.divergences import gaussian_kl
from vaecore.noise import Shapes
from vaecore.posteriors import Posterior
from vaecore.posteriors.diagonal_gaussian import DiagonalGaussian
from vaecore.posteriors.dirac import Dirac
from vaecore.priors import Prior

__all__ = ["StandardNormal"]


class StandardNormal(Prior):
    def log_prob(self, z: Tensor) -> Tensor:
        return -0.5 * (z.square() + math.log(2 * math.pi)).sum(-1)

    def noise(self, n: int) -> Shapes:
        return {"prior": ("normal", (n, self.latents))}

    def sample(self, noise: Mapping[str, Tensor]) -> Tensor:
        return noise["prior"]

    def kl(self, posterior: Posterior) -> Tensor | None:
        if isinstance(posterior, DiagonalGaussian | Dirac):
            return gaussian_kl(posterior.mean, posterior.log_variance)
        return None

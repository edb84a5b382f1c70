"""Independent standard normal latents.

    log p(z) = log N(z; 0, I) = -½ Σ_l (z_l² + log 2π)
    KL[N(μ, σ²) ‖ N(0, 1)]    = ½ (μ² + σ² - log σ² - 1)    per latent, nats

The KL is +inf for a deterministic code (σ = 0): an exact point of a continuum has infinite code length.
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

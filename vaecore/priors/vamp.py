"""VampPrior: the mixture of the posteriors of learnt pseudo-inputs.

    p(z) = 1/K Σ_k q(z | u_k),   u_k = sigmoid(w_k) in [0, 1]^(C·H·W)

    u           the pseudo-inputs [K, C, H, W], of an image's shape
    w           their logits, which learn with the model
    log p(z)    nats, [...] of z [..., L]

A step encodes K more images. There is no closed KL: the rate is log q(z | x) - log p(z) of the z that was
drawn. Each pseudo-input starts as uniform noise. (The paper clips pseudo-inputs to [0, 1], and a weight
outside no longer learns; with a sigmoid every weight learns.)

J. M. Tomczak, M. Welling, VAE with a VampPrior, 2018, arXiv:1705.07120.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from vaecore.divergences import gaussian_log_prob
from vaecore.noise import Shapes
from vaecore.options import Option
from vaecore.posteriors import Posterior
from vaecore.priors import Prior

if TYPE_CHECKING:
    from vaecore.autoencoder import Autoencoder

__all__ = ["VampPrior"]

EDGE = 1e-3
"""The distance from 0 and 1 that pseudo-inputs start at least at."""


class VampPrior(Prior):
    options: ClassVar[Mapping[str, Option]] = {
        "components": Option("number K of pseudo-inputs", symbol="K", default=500, low=1, whole=True)
    }

    def __init__(self, autoencoder: Autoencoder, components: int) -> None:
        super().__init__(autoencoder)
        self.components = components
        self._encode = autoencoder.posterior_of  # a method, not a part: its weights are the autoencoder's
        uniform = torch.rand(components, *autoencoder.image_shape)
        self.logits = nn.Parameter(torch.logit(uniform, eps=EDGE))

    def mixture(self) -> Posterior:
        """The components q(z | u_k), a batch of K."""
        return self._encode(self.logits.sigmoid())

    def log_prob(self, z: Tensor) -> Tensor:
        mixture = self.mixture()
        log_q = gaussian_log_prob(z[..., None, :], mixture.mean, mixture.log_variance).sum(-1)  # [..., K]
        return torch.logsumexp(log_q, dim=-1) - math.log(self.components)

    def noise(self, n: int) -> Shapes:
        return {"component": ("uniform", (n,)), "prior": ("normal", (n, self.latents))}

    def sample(self, noise: Mapping[str, Tensor]) -> Tensor:
        mixture = self.mixture()
        # the largest uniform number times K may round to K
        k = (noise["component"] * self.components).long().clamp(max=self.components - 1)
        return torch.addcmul(mixture.mean[k], mixture.std[k], noise["prior"])

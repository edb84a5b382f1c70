"""The autoencoder inside every family: corruption, encoder, posterior, prior, decoder and likelihood.

    x --corruption--> x̃ --encoder--> q(z | x̃) --sample--> z --decoder--> p(x | z)

    distortion  D = -log p(x | z)              [B]      nats per image, exact, constants included
    rate        R = KL[q(z | x) ‖ p(z)]        [B]      nats per image, against the autoencoder's own prior;
                                                        by groups [B, G]

The average of -(D + R) over z is the evidence lower bound on log p(x). Encoder and decoder may be conditioned
on an image's label or factors: the encoder receives them as one more channel, a learnt plane per value, the
decoder as further entries of the code.

D. P. Kingma, M. Welling, Auto-Encoding Variational Bayes, 2014, arXiv:1312.6114.

Distortion and rate as coordinates: A. A. Alemi, B. Poole, I. Fischer, J. V. Dillon, R. A. Saurous, K. Murphy,
Fixing a Broken ELBO, 2018, arXiv:1711.00464.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vaecore.batch import Batch
from vaecore.conditions import OneHot
from vaecore.corruptions import Corruption
from vaecore.initializations import Initialization
from vaecore.likelihoods import Likelihood
from vaecore.networks import Network, Shape, check_shape
from vaecore.noise import Shapes
from vaecore.posteriors import Posterior
from vaecore.priors import Prior

__all__ = ["Autoencoder", "Pass"]


class Pass(NamedTuple):
    """One pass of a batch through an autoencoder."""

    posterior: Posterior
    z: Tensor
    """Codes [B, L], one sample per image."""
    terms: dict[str, Tensor]
    """distortion [B], rate [B], rate_per_group [B, G], and the likelihood's learned quantities."""


class Autoencoder(nn.Module):
    """The composed model for images of one shape and a number of latents."""

    prior: Prior | None
    """None if codes have no distribution to be drawn from, and no finite rate."""

    def __init__(
        self,
        *,
        image_shape: Shape,
        latents: int,
        network: Network,
        initialization: Initialization,
        likelihood: Likelihood,
        posterior: type[Posterior],
        corruption: Corruption,
        condition: OneHot | None = None,
    ) -> None:
        super().__init__()
        if isinstance(latents, bool) or not isinstance(latents, int) or latents < 1:
            raise ValueError(f"'latents' must be a whole number ≥ 1, got {latents!r}")
        check_shape(image_shape)
        C, H, W = image_shape
        self.image_shape = image_shape
        self.latents = latents
        self.posterior = posterior
        self.corruption = corruption
        known = 0 if condition is None else condition.size
        seen = (C + bool(known), H, W)
        self.encoder = initialization(network.encoder(seen, latents * posterior.outputs_per_latent))
        self.decoder = initialization(network.decoder(latents + known, image_shape))
        self.likelihood = likelihood
        self.prior = None
        self.condition = condition
        if condition is not None:
            plane = nn.Linear(condition.size, H * W, bias=False)
            self.plane = initialization(nn.Sequential(plane, nn.Unflatten(1, (1, H, W))))

    def posterior_of(self, x: Tensor, known: Tensor | None = None) -> Posterior:
        """q(z | x) of images [B, C, H, W]; ``known``: the condition's vectors [B, K]."""
        if known is not None:
            x = torch.cat([x, self.plane(known)], dim=1)
        return self.posterior(self.encoder(x))

    def parameters_of(self, z: Tensor, known: Tensor | None = None) -> Tensor:
        """The likelihood's parameters [B, C, H, W] of codes [B, L]."""
        return self.decoder(z if known is None else torch.cat([z, known], dim=1))

    def known(self, batch: Batch | None) -> Tensor | None:
        """The condition's vectors [B, K] of a batch; None if encoder and decoder are not conditioned.

        Raises:
            ValueError: the batch lacks the labels or factors.
        """
        if self.condition is None:
            return None
        if batch is None:
            raise ValueError(f"this family decodes a code together with {self.condition.array}: give them")
        return self.condition(batch)

    def noise(self, batch_size: int) -> Shapes:
        """Shapes of the noise that the posterior's sample needs."""
        return self.posterior.noise(batch_size, self.latents)

    def forward(self, batch: Batch, noise: Mapping[str, Tensor]) -> Pass:
        """Corrupt, encode, sample, decode, compare with the clean image: a step of training."""
        known = self.known(batch)
        posterior = self.posterior_of(self.corruption(batch.x, noise), known)
        z = posterior.sample(noise)
        rate = self.rate(posterior, z)
        terms = {
            "distortion": self.distortion(batch.x, z, known),
            "rate": rate.sum(1),
            "rate_per_group": rate,
            **self.likelihood.terms(),
        }
        return Pass(posterior, z, terms)

    def rate(self, posterior: Posterior, z: Tensor) -> Tensor:
        """KL[q(z | x) ‖ p(z)] by groups [B, G], nats. Without a closed form it is that of z [B, L]."""
        return (
            torch.full_like(posterior.mean, torch.inf)
            if self.prior is None
            else self.prior.rate(posterior, z)
        )

    def distortion(self, x: Tensor, z: Tensor, known: Tensor | None) -> Tensor:
        """-log p(x | z) [B], nats."""
        return -self.likelihood.log_prob(x, self.parameters_of(z, known))

    def decode(self, z: Tensor, known: Tensor | None = None) -> Tensor:
        """The expected images [B, C, H, W], in data units, of codes z [B, L]."""
        return self.likelihood.mean(self.parameters_of(z, known))

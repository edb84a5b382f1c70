"""The autoencoder that every family holds: encoder, posterior, decoder and likelihood, composed.

    x --encoder--> q(z | x) --sample--> z --decoder--> p(x | z)

    distortion  D = -log p(x | z)            [B]      nats per image, exact, constants included
    rate        R = Σ_l KL[q(z_l | x) ‖ p]   [B]      nats per image; per latent [B, L]

-(D + R) averaged over z is the evidence lower bound on log p(x). D. P. Kingma, M. Welling, Auto-Encoding Variational Bayes, 2014,
arXiv:1312.6114; distortion and rate as coordinates: A. A. Alemi, B. Poole, I. Fischer, J. V. Dillon, R. A. Saurous, K. Murphy, Fixing a
Broken ELBO, 2018, arXiv:1711.00464.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from vaecore import likelihoods, networks
from vaecore.posteriors import Posterior

__all__ = ["Autoencoder", "Pass"]


class Pass(NamedTuple):
    """One pass of a batch through an autoencoder."""

    posterior: Posterior
    z: Tensor
    """Codes [B, L], one sample per image."""
    terms: dict[str, Tensor]
    """distortion [B], rate [B], rate_per_latent [B, L], and what the likelihood learns."""


class Autoencoder(nn.Module):
    """Encoder, posterior, decoder, likelihood for images of one shape and a number of latents."""

    def __init__(
        self,
        *,
        image_shape: tuple[int, int, int],
        latents: int,
        network: str | Mapping[str, Any],
        likelihood: str | Mapping[str, Any],
        posterior: type[Posterior],
    ) -> None:
        super().__init__()
        if isinstance(latents, bool) or not isinstance(latents, int) or latents < 1:
            raise ValueError(f"'latents' must be a whole number ≥ 1, got {latents!r}")
        self.image_shape = image_shape
        self.latents = latents
        self.posterior = posterior
        self.encoder = networks.encoder(network, image_shape, latents * posterior.outputs_per_latent)
        self.decoder = networks.decoder(network, image_shape, latents)
        self.likelihood = likelihoods.likelihood(likelihood)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of q(z | x), each [B, L], of images x [B, C, H, W]."""
        posterior = self.posterior(self.encoder(x))
        return posterior.mean, posterior.std

    def decode(self, z: Tensor) -> Tensor:
        """The expected images [B, C, H, W], in data units, of codes z [B, L]."""
        return self.likelihood.mean(self.decoder(z))

    def forward(self, x: Tensor, noise: Tensor | None) -> Pass:
        """Encode, sample with standard normal ``noise`` [B, L] (None for a deterministic code), decode, compare."""
        posterior = self.posterior(self.encoder(x))
        z = posterior.sample(noise)
        rate_per_latent = posterior.kl()
        terms = {
            "distortion": -self.likelihood.log_prob(x, self.decoder(z)),
            "rate": rate_per_latent.sum(1),
            "rate_per_latent": rate_per_latent,
            **self.likelihood.terms(),
        }
        return Pass(posterior, z, terms)

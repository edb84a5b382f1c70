"""Autoencoder: a deterministic code.

    loss = D = -log p(x | z),  z = μ(x)

    D [B] nats per image

The rate is +∞: a point of a continuum has no finite code length, so nothing here is an evidence bound. It is
the limit β → 0 of the β-VAE. With ``model.corruption`` it is the denoising autoencoder.

G. E. Hinton, R. R. Salakhutdinov, Reducing the Dimensionality of Data with Neural Networks, 2006, Science
313:504, https://doi.org/10.1126/science.1127647.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from vaecore.batch import Batch
from vaecore.families import Family

__all__ = ["AE"]


class AE(Family):
    posterior = "dirac"
    prior = None
    deterministic = True
    has_prior = False
    has_density = False

    def terms(
        self, batch: Batch, hyper: Mapping[str, Tensor], noise: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        terms = self.autoencoder(batch, noise).terms
        return {"loss": terms["distortion"], **terms}

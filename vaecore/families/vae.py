"""Variational autoencoder: the evidence lower bound.

    loss = D + R = -log p(x | z) + KL[q(z | x) ‖ p(z)],  z ~ q(z | x)

    D, R [B] nats per image

D. P. Kingma, M. Welling, Auto-Encoding Variational Bayes, 2014, arXiv:1312.6114.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from vaecore.batch import Batch
from vaecore.families import Family

__all__ = ["VAE"]


class VAE(Family):
    reference = True

    def terms(
        self, batch: Batch, hyper: Mapping[str, Tensor], noise: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        terms = self.autoencoder(batch, noise).terms
        return {"loss": terms["distortion"] + terms["rate"], **terms}

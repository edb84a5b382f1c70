"""VAE with a VampPrior: the prior is the mixture of the posteriors of learnt pseudo-inputs.

    loss = D + β R,   R = log q(z | x) - log 1/K Σ_k q(z | u_k),   z ~ q(z | x)

    D, R     [B] nats per image; one z per image estimates R
    u_k      the pseudo-inputs (``vaecore.priors.vamp``)
    β ≥ 0    a pure number; 1 by default

J. M. Tomczak, M. Welling, VAE with a VampPrior, 2018, arXiv:1705.07120 (500 pseudo-inputs, β from 0 to 1 over
100 epochs).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from vaecore.batch import Batch
from vaecore.families import Family
from vaecore.options import Option
from vaecore.priors.vamp import VampPrior

__all__ = ["VampVAE"]


class VampVAE(Family):
    options: ClassVar[Mapping[str, Option]] = {
        "beta": Option("weight of the rate", symbol="β", default=1.0, low=0, scheduled=True),
        **VampPrior.options,
    }
    strength = "beta"
    prior = "vamp"

    def terms(
        self, batch: Batch, hyper: Mapping[str, Tensor], noise: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        terms = self.autoencoder(batch, noise).terms
        return {"loss": terms["distortion"] + hyper["beta"] * terms["rate"], **terms}

"""AnnealedVAE: the rate is held at a capacity that grows with the step.

    loss = D + γ |R̄ - C|,  R̄ = mean of R over the batch

    D [B] nats per image; R̄ and C nats per image; γ ≥ 0 a pure number

The distance is that of the batch's mean rate. The mean of |R - C| would force every image to the same rate.

C. P. Burgess, I. Higgins, A. Pal, L. Matthey, N. Watters, G. Desjardins, A. Lerchner, Understanding
disentangling in β-VAE, 2018, arXiv:1804.03599.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from vaecore.batch import Batch
from vaecore.families import Family
from vaecore.options import Option

__all__ = ["AnnealedVAE"]


class AnnealedVAE(Family):
    options: ClassVar[Mapping[str, Option]] = {
        "capacity": Option("rate at which the model is held", symbol="C", unit="nats", low=0, scheduled=True),
        "gamma": Option("weight of the rate's distance from C", symbol="γ", low=0, scheduled=True),
    }
    strength = target = "capacity"

    def terms(
        self, batch: Batch, hyper: Mapping[str, Tensor], noise: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        terms = self.autoencoder(batch, noise).terms
        gap = (terms["rate"].mean() - hyper["capacity"]).abs()  # []
        return {"loss": terms["distortion"] + hyper["gamma"] * gap, **terms, "capacity_gap": gap}

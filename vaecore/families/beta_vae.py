"""β-VAE: the rate is weighted by β.

    loss = D + β R

    D, R [B] nats per image; β ≥ 0 a pure number, constant or on a schedule (warm-up, cyclical)

I. Higgins, L. Matthey, A. Pal, C. Burgess, X. Glorot, M. Botvinick, S. Mohamed, A. Lerchner, β-VAE: Learning
Basic Visual Concepts with a Constrained Variational Framework, 2017, ICLR,
https://openreview.net/forum?id=Sy2fzU9gl.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from vaecore.batch import Batch
from vaecore.families import Family
from vaecore.options import Option

__all__ = ["BetaVAE"]


class BetaVAE(Family):
    options: ClassVar[Mapping[str, Option]] = {
        "beta": Option("weight of the rate", symbol="β", low=0, scheduled=True)
    }
    strength = "beta"

    def terms(
        self, batch: Batch, hyper: Mapping[str, Tensor], noise: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        terms = self.autoencoder(batch, noise).terms
        return {"loss": terms["distortion"] + hyper["beta"] * terms["rate"], **terms}

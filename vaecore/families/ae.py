"""Autoencoder: a deterministic code, the β → 0 end of every family here.

    loss = D = -log p(x | z),  z = μ(x)

    D [B] nats per image. The rate is +∞: a point of a continuum has no finite code length, so nothing here may be read
    as an evidence bound.

G. E. Hinton, R. R. Salakhutdinov, Reducing the Dimensionality of Data with Neural Networks, 2006, Science 313:504.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from vaecore.families import Family
from vaecore.posteriors import Dirac

__all__ = ["AE"]


class AE(Family):
    posterior = Dirac

    def terms(self, x: Tensor, hyper: Mapping[str, Tensor], noise: Mapping[str, Tensor]) -> dict[str, Tensor]:
        terms = self.autoencoder(x, None).terms
        return {"loss": terms["distortion"], **terms}

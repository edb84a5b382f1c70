"""β-TCVAE: the total correlation of the codes is weighted by β; the batch estimates it.

    loss = D + R + (β - 1) TC    =  in expectation  D + MI + β TC + DW

    R = MI + TC + DW    mutual information of image and code, total correlation, dimension-wise KL
                        (``vaecore.divergences``)
    D, R, MI, TC, DW    [B] nats per image
    β ≥ 0               a pure number

R is the closed form, as in the 12,600-model study, and only TC is estimated. The expectation is that of the
paper's sum of three estimates, with less variance, and β = 1 is exactly the VAE. The recorded MI, TC and DW
add up to the one-sample estimate of R.

R. T. Q. Chen, X. Li, R. Grosse, D. Duvenaud, Isolating Sources of Disentanglement in Variational
Autoencoders, 2018, arXiv:1802.04942.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from vaecore.autoencoder import Autoencoder
from vaecore.batch import Batch
from vaecore.divergences import ESTIMATORS, decomposition
from vaecore.families import Family
from vaecore.initializations import Initialization
from vaecore.options import Option

__all__ = ["BetaTCVAE"]


class BetaTCVAE(Family):
    options: ClassVar[Mapping[str, Option]] = {
        "beta": Option("weight of the total correlation", symbol="β", low=0, scheduled=True),
        "estimator": Option(
            "weights of the batch's estimate of q(z)",
            default="stratified",
            words=tuple(sorted(ESTIMATORS)),
            number=False,
        ),
    }
    strength = "beta"

    def __init__(
        self, autoencoder: Autoencoder, dataset_size: int, initialization: Initialization, *, estimator: str
    ) -> None:
        super().__init__(autoencoder, dataset_size, initialization)
        self.estimator = estimator

    def terms(
        self, batch: Batch, hyper: Mapping[str, Tensor], noise: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        posterior, z, terms = self.autoencoder(batch, noise)
        prior = self.autoencoder.prior
        assert prior is not None
        log_weights = ESTIMATORS[self.estimator](len(z), self.dataset_size, z.device)
        information, correlation, dimensions = decomposition(
            z, posterior.mean, posterior.log_variance, prior.log_prob(z), log_weights
        )
        return {
            "loss": terms["distortion"] + terms["rate"] + (hyper["beta"] - 1) * correlation,
            **terms,
            "mutual_information": information,
            "total_correlation": correlation,
            "dimension_wise_kl": dimensions,
        }

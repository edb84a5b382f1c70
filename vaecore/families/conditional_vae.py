"""Conditional VAE: encoder and decoder know the image's label, or its factors.

    loss = D + β R,   D = -log p(x | z, y),   R = KL[q(z | x, y) ‖ p(z)]

    y        one-hot label [B, classes], or one-hot factors side by side [B, Σ_k size_k]
    D, R     [B] nats per image
    β ≥ 0    a pure number; 1 by default

The code holds the information that y leaves open: z is independent of y under the prior. -(D + R) bounds log
p(x | y), not log p(x): the rate excludes the information in y.

K. Sohn, H. Lee, X. Yan, Learning Structured Output Representation using Deep Conditional Generative Models,
2015, NIPS, https://papers.nips.cc/paper/2015/hash/8d55a249e6baa5c06772297520da2051-Abstract.html.

D. P. Kingma, D. J. Rezende, S. Mohamed, M. Welling, Semi-supervised Learning with Deep Generative Models,
2014, arXiv:1406.5298 (M2, all labels known).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from vaecore.autoencoder import Autoencoder
from vaecore.batch import Batch
from vaecore.families import Family
from vaecore.initializations import Initialization
from vaecore.options import Option

__all__ = ["ConditionalVAE"]


class ConditionalVAE(Family):
    options: ClassVar[Mapping[str, Option]] = {
        "beta": Option("weight of the rate", symbol="β", default=1.0, low=0, scheduled=True),
        "given": Option(
            "what encoder and decoder are conditioned on",
            default="labels",
            words=("labels", "factors"),
            number=False,
        ),
    }
    strength = "beta"
    conditioned = True

    def __init__(
        self, autoencoder: Autoencoder, dataset_size: int, initialization: Initialization, *, given: str
    ) -> None:
        super().__init__(autoencoder, dataset_size, initialization)
        self.given = given

    @classmethod
    def needs(cls, hyper: Mapping[str, Any]) -> frozenset[str]:
        return frozenset({hyper["given"]})

    def terms(
        self, batch: Batch, hyper: Mapping[str, Tensor], noise: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        terms = self.autoencoder(batch, noise).terms
        return {"loss": terms["distortion"] + hyper["beta"] * terms["rate"], **terms}

"""Bernoulli pixels.

    log p(x | z) = Σ_i x_i log μ_i + (1 - x_i) log(1 - μ_i)

    μ = sigmoid(decoder(z)), the mean; i runs over the C·H·W pixels

It is a probability for binary x. For grey x in (0, 1) the term is no log-density (it does not integrate to
one over x). It is the expectation of the binary log-probability over images binarised at random with
probability x, which most of the VAE literature reports.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from vaecore.likelihoods import Likelihood

__all__ = ["Bernoulli"]


class Bernoulli(Likelihood):
    bin_width = 1.0

    def log_prob(self, x: Tensor, params: Tensor) -> Tensor:
        return -F.binary_cross_entropy_with_logits(params.float(), x, reduction="none").flatten(1).sum(1)

    def mean(self, params: Tensor) -> Tensor:
        return params.float().sigmoid()

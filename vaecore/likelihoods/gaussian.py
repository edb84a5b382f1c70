"""Gaussian pixels with one σ.

    log p(x | z) = -½ Σ_i [(x_i - μ_i)² / σ² + log(2π σ²)]

    μ = decoder(z), the mean; σ one number for all C·H·W pixels

It is a density with respect to dx. σ is either fixed, a number in units of x's range, or one learned
parameter, kept as log σ. The optimal σ² is the mean squared error, and learning it sets the balance of
distortion and rate (Rybkin et al. 2021). A learned σ starts at 1, and Adam moves log σ by at most the
learning rate per step: it takes 3,200 steps at 1e-3 to reach 0.04.

O. Rybkin, K. Daniilidis, S. Levine, Simple and Effective VAE Training with Calibrated Decoders, 2021,
arXiv:2006.13202.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from vaecore.likelihoods import Likelihood
from vaecore.options import Option

__all__ = ["Gaussian"]


class Gaussian(Likelihood):
    options: ClassVar[Mapping[str, Option]] = {
        "sigma": Option("standard deviation of a pixel", symbol="σ", above=0, words=("learned",))
    }
    bin_width = 1 / 255

    def __init__(self, sigma: float | str) -> None:
        super().__init__()
        self.learned = sigma == "learned"
        log_sigma = torch.zeros(()) if self.learned else torch.tensor(math.log(float(sigma)))
        if self.learned:
            self.log_sigma = nn.Parameter(log_sigma)
        else:
            self.register_buffer("log_sigma", log_sigma, persistent=False)  # a setting, not a weight

    def log_prob(self, x: Tensor, params: Tensor) -> Tensor:
        squares = (x - params.float()).square().flatten(1).sum(1)  # [B]
        pixels = x[0].numel()
        return -0.5 * squares * torch.exp(-2 * self.log_sigma) - pixels * (
            self.log_sigma + 0.5 * math.log(2 * math.pi)
        )

    def mean(self, params: Tensor) -> Tensor:
        return params.float()

    def terms(self) -> dict[str, Tensor]:
        return {"sigma": self.log_sigma.exp()} if self.learned else {}

"""Likelihoods p(x | z): the decoder's output as a density over images, in nats with every constant.

    bernoulli   log p(x | z) = Σ_i x_i log μ_i + (1 - x_i) log(1 - μ_i),  μ = sigmoid(decoder(z)) the mean
    gaussian    log p(x | z) = -½ Σ_i [(x_i - μ_i)² / σ² + log(2π σ²)],   μ = decoder(z) the mean, σ one number for all pixels

    x, decoder(z)   [B, C, H, W], x in [0, 1]; i runs over the C·H·W pixels
    log p           [B] in nats; a probability for binary x (bernoulli), a density with respect to dx (gaussian)

On grey x in (0, 1) the Bernoulli term is no log-density (it does not integrate to one over x): it is the expectation of the
binary log-probability over images binarised at random with probability x, which is what most of the VAE literature reports.

σ is fixed (a number, in units of x's range) or one learned parameter, kept as log σ. The optimal σ² is the mean squared error, and
learning it sets the balance of distortion and rate: O. Rybkin, K. Daniilidis, S. Levine, Simple and Effective VAE Training with
Calibrated Decoders, 2021, arXiv:2006.13202. It starts at 1, and Adam moves log σ by the learning rate per step at most: to reach 0.04
takes 3,200 steps at 1e-3. Everything is float32, under autocast too: sums over thousands of pixels are not for bfloat16.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Bernoulli", "Gaussian", "Likelihood", "likelihood", "names"]


class Likelihood(nn.Module, ABC):
    @abstractmethod
    def log_prob(self, x: Tensor, params: Tensor) -> Tensor:
        """log p(x | z) in nats, float32 [B], from images x and the decoder's output ``params``, both [B, C, H, W]."""

    @abstractmethod
    def mean(self, params: Tensor) -> Tensor:
        """The expected image, float32 [B, C, H, W], in data units."""

    @abstractmethod
    def terms(self) -> dict[str, Tensor]:
        """Learned quantities of its own worth a curve, each []."""


class Bernoulli(Likelihood):
    def log_prob(self, x: Tensor, params: Tensor) -> Tensor:
        return -F.binary_cross_entropy_with_logits(params.float(), x, reduction="none").flatten(1).sum(1)

    def mean(self, params: Tensor) -> Tensor:
        return params.float().sigmoid()

    def terms(self) -> dict[str, Tensor]:
        return {}


class Gaussian(Likelihood):
    """Gaussian pixels with one σ: a number, or "learned" (it starts at 1)."""

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


def names() -> list[str]:
    """The likelihoods that a configuration can name."""
    return ["bernoulli", "gaussian"]


def likelihood(value: str | Mapping[str, Any]) -> Likelihood:
    """The likelihood of a configuration: "bernoulli" or {"name": "gaussian", "sigma": 0.1 | "learned"}.

    Raises a ValueError for an unknown name (listing what exists), an unknown option, or a σ that is no number above 0.
    """
    options = {"name": value} if isinstance(value, str) else dict(value)
    name = options.pop("name", None)
    if name not in names():
        raise ValueError(f"unknown likelihood {name!r}; the likelihoods are: {', '.join(names())}")
    sigma = options.pop("sigma", None) if name == "gaussian" else None
    if options:
        raise ValueError(f"likelihood {name!r} has no option {next(iter(options))!r}")
    if name == "bernoulli":
        return Bernoulli()
    if sigma == "learned":
        return Gaussian("learned")
    if (
        isinstance(sigma, bool)
        or not isinstance(sigma, int | float)
        or not (math.isfinite(sigma) and sigma > 0)
    ):
        raise ValueError(
            f"likelihood 'gaussian': 'sigma' must be a number above 0 or \"learned\", got {sigma!r}"
        )
    return Gaussian(sigma)

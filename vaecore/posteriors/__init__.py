"""Posteriors q(z | x): the encoder's output as a distribution over codes.

    DiagonalGaussian    q(z | x) = Π_l N(z_l; μ_l(x), σ_l²(x)),   z = μ + σ ε, ε ~ N(0, I)    encoder output (μ, log σ²), 2 L numbers
    Dirac               q(z | x) = δ(z - μ(x)),                   z = μ                       encoder output μ, L numbers

    μ, log σ², z, ε   [B, L], float32 whatever the network computed in

KL[q(z_l | x) ‖ p(z_l)] against the standard normal is closed form for the Gaussian and infinite for the Dirac: sending a
point of a continuum exactly costs infinitely many nats.

D. P. Kingma, M. Welling, Auto-Encoding Variational Bayes, 2014, arXiv:1312.6114.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from vaecore.divergences import gaussian_kl

__all__ = ["DiagonalGaussian", "Dirac", "Posterior"]


class Posterior(ABC):
    """A batch of posteriors, made from the encoder's output [B, L · outputs_per_latent]."""

    outputs_per_latent: ClassVar[int]
    noise: ClassVar[bool]  # whether a sample needs ε
    mean: Tensor
    log_variance: Tensor

    @abstractmethod
    def __init__(self, output: Tensor) -> None: ...

    @abstractmethod
    def sample(self, noise: Tensor | None) -> Tensor:
        """z [B, L] for standard normal ``noise`` [B, L], differentiable in the encoder's output."""

    @abstractmethod
    def kl(self) -> Tensor:
        """KL[q(z_l | x) ‖ p(z_l)] in nats, [B, L]."""

    @property
    @abstractmethod
    def std(self) -> Tensor:
        """σ [B, L]."""


class DiagonalGaussian(Posterior):
    outputs_per_latent = 2
    noise = True

    def __init__(self, output: Tensor) -> None:
        self.mean, self.log_variance = output.float().chunk(2, dim=1)

    def sample(self, noise: Tensor | None) -> Tensor:
        assert noise is not None
        return torch.addcmul(self.mean, self.std, noise)

    def kl(self) -> Tensor:
        return gaussian_kl(self.mean, self.log_variance)

    @property
    def std(self) -> Tensor:
        return torch.exp(0.5 * self.log_variance)


class Dirac(Posterior):
    outputs_per_latent = 1
    noise = False

    def __init__(self, output: Tensor) -> None:
        self.mean = output.float()
        self.log_variance = torch.full_like(self.mean, -torch.inf)

    def sample(self, noise: Tensor | None) -> Tensor:
        return self.mean

    def kl(self) -> Tensor:
        return torch.full_like(self.mean, torch.inf)

    @property
    def std(self) -> Tensor:
        return torch.zeros_like(self.mean)

"""Posteriors q(z | x): the encoder's output as a distribution over codes, one file each.

    z, its mean and its standard deviation    [B, L], float32 whatever precision the network computes in

A family declares its posterior, and params.yaml does not name it. A posterior does not depend on any prior.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from vaecore.members import Folder
from vaecore.noise import Shapes
from vaecore.options import Option

__all__ = ["POSTERIORS", "Posterior", "names"]


class Posterior(ABC):
    """A batch of posteriors, made from the encoder's output [B, L · outputs_per_latent]."""

    options: ClassVar[Mapping[str, Option]] = {}
    outputs_per_latent: ClassVar[int]
    mean: Tensor
    log_variance: Tensor

    @abstractmethod
    def __init__(self, output: Tensor) -> None: ...

    @staticmethod
    @abstractmethod
    def noise(batch_size: int, latents: int) -> Shapes:
        """Shapes of the noise that ``sample`` needs."""

    @abstractmethod
    def sample(self, noise: Mapping[str, Tensor]) -> Tensor:
        """z [B, L], differentiable in the encoder's output. Noise [k, B, L] gives z [k, B, L]."""

    @abstractmethod
    def log_prob(self, z: Tensor) -> Tensor:
        """log q(z | x) in nats: z [..., B, L] -> [..., B]."""

    @property
    @abstractmethod
    def std(self) -> Tensor:
        """σ [B, L]."""


POSTERIORS = Folder(__name__, Posterior, "posterior", "posteriors")
names = POSTERIORS.names

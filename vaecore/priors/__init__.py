"""Priors p(z): what codes are drawn from when there is no image, and what a rate is measured against; one file each.

    rate    KL[q(z | x) ‖ p(z)] [B] in nats: closed where ``kl`` knows a closed form, else the one-sample estimate
            log q(z | x) - log p(z), z ~ q(z | x), which is right in expectation and may be negative for an image

A prior is a module: it may have weights of its own, which learn with the model's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from vaecore.members import Folder
from vaecore.noise import Shapes
from vaecore.options import Option
from vaecore.posteriors import Posterior

if TYPE_CHECKING:
    from vaecore.autoencoder import Autoencoder

__all__ = ["PRIORS", "Prior", "names"]


class Prior(nn.Module, ABC):
    options: ClassVar[Mapping[str, Option]] = {}
    """A family that has this prior has these options among its own."""

    def __init__(self, autoencoder: Autoencoder) -> None:
        super().__init__()
        self.latents = autoencoder.latents

    @abstractmethod
    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z) in nats: z [..., L] -> [...]."""

    @abstractmethod
    def noise(self, n: int) -> Shapes:
        """What ``sample`` needs drawn for n codes."""

    @abstractmethod
    def sample(self, noise: Mapping[str, Tensor]) -> Tensor:
        """Codes [n, L]."""

    def kl(self, posterior: Posterior) -> Tensor | None:
        """KL[q(z | x) ‖ p(z)] in nats by groups of latents that it adds up over, [B, G]; None where there is no closed form."""
        return None

    def rate(self, posterior: Posterior, z: Tensor) -> Tensor:
        """The rate by groups [B, G], of z [B, L] drawn from ``posterior`` where there is no closed form."""
        closed = self.kl(posterior)
        return (posterior.log_prob(z) - self.log_prob(z))[:, None] if closed is None else closed


PRIORS = Folder(__name__, Prior, "prior", "priors")
names = PRIORS.names

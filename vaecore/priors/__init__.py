"""Priors p(z): the distribution of codes that rates are measured against, one file each.

    rate    KL[q(z | x) ‖ p(z)] [B] in nats: the closed form if ``kl`` has one; otherwise the one-sample
            estimate log q(z | x) - log p(z), z ~ q(z | x), which is unbiased and may be negative for an image

A family declares its prior and has the prior's options; params.yaml does not name it. A prior is a module: it
may have weights of its own, which learn with the model's.
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
    """A family with this prior has these options too."""

    def __init__(self, autoencoder: Autoencoder) -> None:
        super().__init__()
        self.latents = autoencoder.latents

    @abstractmethod
    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z) in nats: z [..., L] -> [...]."""

    @abstractmethod
    def noise(self, n: int) -> Shapes:
        """Shapes of the noise that ``sample`` needs for n codes."""

    @abstractmethod
    def sample(self, noise: Mapping[str, Tensor]) -> Tensor:
        """Codes [n, L]."""

    def kl(self, posterior: Posterior) -> Tensor | None:
        """KL[q(z | x) ‖ p(z)] in nats [B, G], whose groups of latents add up; None without a closed form."""
        return None

    def rate(self, posterior: Posterior, z: Tensor) -> Tensor:
        """The rate by groups [B, G]; without a closed form, of z [B, L] drawn from ``posterior``."""
        closed = self.kl(posterior)
        return (posterior.log_prob(z) - self.log_prob(z))[:, None] if closed is None else closed


PRIORS = Folder(__name__, Prior, "prior", "priors")
names = PRIORS.names

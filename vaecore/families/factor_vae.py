"""FactorVAE: the total correlation of the codes is penalised; a critic estimates it.

    loss  =  D + R + γ T(z)                          trains encoder, decoder and likelihood;
                                                     the critic's weights are constants
           + ½ [CE(c(⊥z), joint) + CE(c(⊥π(z)), product)]
                                                     trains the critic c; the codes are constants

    T(z) = c_joint(z) - c_product(z), the log density ratio log q(z) / Π_l q(z_l)     [B] nats
    π permutes every latent within the batch on its own; ⊥ stops the gradient; CE in nats [B]

The critic learns alongside. Both players share one loss, one pass of the critic, one backward pass and one
optimizer with two parameter groups; ``log_ratios`` stops gradients so that each player gets the gradient of
its own objective. The critic's Adam has lr 1e-4 and betas (0.5, 0.9). The critic sees the autoencoder's
batch, as in the 12,600-model study (the paper draws a second batch for π).

H. Kim, A. Mnih, Disentangling by Factorising, 2018, arXiv:1802.05983.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from vaecore.autoencoder import Autoencoder
from vaecore.batch import Batch
from vaecore.critics import critic, log_ratios
from vaecore.divergences import permuted
from vaecore.families import Family
from vaecore.initializations import Initialization
from vaecore.noise import Shapes
from vaecore.options import Option

__all__ = ["FactorVAE"]


class FactorVAE(Family):
    options: ClassVar[Mapping[str, Option]] = {
        "gamma": Option("weight of the total correlation", symbol="γ", low=0, scheduled=True),
        "critic_learning_rate": Option(
            "the critic's learning rate", symbol="critic's α", default=1e-4, low=0
        ),
        "critic_width": Option("units in each of the critic's 6 layers", default=1000, low=1, whole=True),
    }
    strength = "gamma"

    def __init__(
        self,
        autoencoder: Autoencoder,
        dataset_size: int,
        initialization: Initialization,
        *,
        critic_learning_rate: float,
        critic_width: int,
    ) -> None:
        super().__init__(autoencoder, dataset_size, initialization)
        self.critic = initialization(critic(autoencoder.latents, critic_width))
        self.critic_learning_rate = critic_learning_rate

    def noise(self, batch_size: int) -> Shapes:
        return {**super().noise(batch_size), "permutation": ("uniform", (batch_size, self.latents))}

    def parameter_groups(self) -> list[dict[str, Any]]:
        player = {"name": "critic", "params": list(self.critic.parameters())}
        return [*super().parameter_groups(), {**player, "lr": self.critic_learning_rate, "betas": (0.5, 0.9)}]

    def terms(
        self, batch: Batch, hyper: Mapping[str, Tensor], noise: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        _, z, terms = self.autoencoder(batch, noise)
        B = len(z)

        total_correlation, log_ratio = log_ratios(self.critic, z, permuted(z, noise["permutation"]))
        margin = torch.stack([log_ratio[:B], -log_ratio[B:]])  # [2, B]: right logit minus wrong logit
        critic_loss = F.softplus(-margin).mean(0)  # with two classes, that is the cross-entropy

        return {
            "loss": terms["distortion"] + terms["rate"] + hyper["gamma"] * total_correlation + critic_loss,
            **terms,
            "total_correlation": total_correlation,
            "critic_loss": critic_loss,
            "critic_accuracy": (margin > 0).float().mean(0),
        }

"""FactorVAE: the total correlation of the codes penalised, as estimated by a critic that learns alongside.

    loss  =  D + R + γ T(z)                                 trains encoder, decoder and likelihood; the critic's weights are constants
           + ½ [CE(c(⊥z), joint) + CE(c(⊥π(z)), product)]   trains the critic c; the codes are constants

    T(z) = c_joint(z) - c_product(z), the log density ratio log q(z) / Π_l q(z_l)     [B] nats
    π permutes every latent within the batch on its own; ⊥ stops the gradient; CE in nats [B]

Both players share one loss, one pass of the critic, one backward pass and one optimizer with two parameter groups; ``log_ratios`` stops
gradients so that each player gets that of its own objective. The critic's Adam has lr 1e-4 and betas (0.5, 0.9), and it sees the batch that the autoencoder
sees, as in the 12,600-model study (the paper draws a second batch for π).

H. Kim, A. Mnih, Disentangling by Factorising, 2018, arXiv:1802.05983.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from vaecore.autoencoder import Autoencoder
from vaecore.critics import log_ratios
from vaecore.divergences import permuted
from vaecore.families import Family, Noise
from vaecore.hyperparameters import Hyperparameter
from vaecore.networks import critic

__all__ = ["FactorVAE"]


class FactorVAE(Family):
    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = {
        "gamma": Hyperparameter("weight γ of the total correlation", low=0, scheduled=True),
        "critic_learning_rate": Hyperparameter("the critic's learning rate", default=1e-4, low=0),
        "critic_width": Hyperparameter(
            "units in each of the critic's 6 layers", default=1000, low=1, whole=True
        ),
    }

    def __init__(
        self, autoencoder: Autoencoder, dataset_size: int, *, critic_learning_rate: float, critic_width: float
    ) -> None:
        super().__init__(autoencoder, dataset_size)
        self.critic = critic(autoencoder.latents, int(critic_width))
        self.critic_learning_rate = critic_learning_rate

    def noise(self, batch_size: int) -> Noise:
        shape = (batch_size, self.autoencoder.latents)
        return {"posterior": ("normal", shape), "permutation": ("uniform", shape)}

    def parameter_groups(self) -> list[dict[str, Any]]:
        player = {"name": "critic", "params": list(self.critic.parameters())}
        return [*super().parameter_groups(), {**player, "lr": self.critic_learning_rate, "betas": (0.5, 0.9)}]

    def terms(self, x: Tensor, hyper: Mapping[str, Tensor], noise: Mapping[str, Tensor]) -> dict[str, Tensor]:
        _, z, terms = self.autoencoder(x, noise["posterior"])
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

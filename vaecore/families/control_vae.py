"""ControlVAE: a controller moves β so that the rate stays at a target.

    loss   = D + β_t R
    e_t    = C - R̄_t                        the error: C the target, R̄ the batch's mean rate, nats
    P_t    = K_p / (1 + exp(e_t))           between 0 and K_p: a rate above the target raises β at once
    I_t    = I_{t-1} - K_i e_t              and keeps raising it while the rate stays above
    β_{t+1} = clip(P_t + I_t + β_min, β_min, β_max)

    D, R [B] nats per image; β, P, I pure numbers; K_p, K_i ≥ 0

The β of a step depends on the batches before it. Anti-windup: while P + I + β_min lies outside [β_min,
β_max], the error is not added to I, so that the controller responds at once when the error changes its sign.
β and I are buffers: they are saved with the weights, and they are updated on the device.

H. Shao, S. Yao, D. Sun, A. Zhang, S. Liu, D. Liu, J. Wang, T. Abdelzaher, ControlVAE: Controllable
Variational Autoencoder, 2020, arXiv:2004.05988 (there K_p = 0.01, and K_i = 0.0001 for text, 0.001 for
disentanglement).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from vaecore.autoencoder import Autoencoder
from vaecore.batch import Batch
from vaecore.families import Family
from vaecore.initializations import Initialization
from vaecore.options import Option

__all__ = ["ControlVAE"]


class ControlVAE(Family):
    options: ClassVar[Mapping[str, Option]] = {
        "capacity": Option("rate at which the model is held", symbol="C", unit="nats", low=0, scheduled=True),
        "proportional": Option("the controller's gain on the error", symbol="K_p", default=0.01, low=0),
        "integral": Option("the controller's gain on the sum of errors", symbol="K_i", default=0.001, low=0),
        "beta_min": Option("smallest weight of the rate", symbol="β_min", default=0.0, low=0),
        "beta_max": Option("largest weight of the rate", symbol="β_max", default=100.0, low=0),
    }
    strength = target = "capacity"

    beta: Tensor
    error_sum: Tensor

    def __init__(
        self,
        autoencoder: Autoencoder,
        dataset_size: int,
        initialization: Initialization,
        *,
        proportional: float,
        integral: float,
        beta_min: float,
        beta_max: float,
    ) -> None:
        super().__init__(autoencoder, dataset_size, initialization)
        if beta_min > beta_max:
            raise ValueError(
                f"family 'control_vae': 'beta_min' must be ≤ 'beta_max', got {beta_min:g} and {beta_max:g}"
            )
        self.proportional, self.integral = proportional, integral
        self.beta_min, self.beta_max = beta_min, beta_max
        self.register_buffer("beta", torch.tensor(float(beta_min)))
        self.register_buffer("error_sum", torch.zeros(()))  # I

    def terms(
        self, batch: Batch, hyper: Mapping[str, Tensor], noise: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        terms = self.autoencoder(batch, noise).terms
        return {
            "loss": terms["distortion"] + self.beta * terms["rate"],
            **terms,
            "beta": self.beta.clone(),  # as it was in this step
            "rate_error": hyper["capacity"] - terms["rate"].detach().mean(),
        }

    def update(self, terms: Mapping[str, Tensor]) -> None:
        error = terms["rate_error"]
        P = self.proportional * torch.sigmoid(-error)
        summed = self.error_sum - self.integral * error
        wanted = P + summed + self.beta_min
        self.beta.copy_(wanted.clamp(self.beta_min, self.beta_max))
        self.error_sum.copy_(torch.where(wanted == self.beta, summed, self.error_sum))

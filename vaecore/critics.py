"""One pass of FactorVAE's critic for both players.

    r(z) = c_joint(z) - c_product(z)     the critic's log density ratio, [B] nats

The autoencoder needs ∂r/∂z with the critic's weights as constants, the critic ∂r/∂w with the codes as constants, at the same z. Written with
stop-gradients these are two forward and two backward passes over the same numbers. But the loss of either player depends on r alone, one number
per row, so that both gradients are made of the same v_k = ∂r/∂h_k, h_k the activations of layer k, each scaled per row:

    ∂L/∂z   = g_z v_0              g_z [B] = ∂L/∂r as the autoencoder's loss has it
    ∂L/∂W_k = (g_w v_k)ᵀ h_{k-1}   g_w     = ∂L/∂r as the critic's loss has it

One forward and one backward pass: a quarter of the arithmetic less (6 units of B × weights instead of 8), the same gradients within rounding.

H. Kim, A. Mnih, Disentangling by Factorising, 2018, arXiv:1802.05983.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from vaecore.divergences import density_ratio
from vaecore.layers import dense

__all__ = ["critic", "log_ratios"]

SLOPE = 0.2
"""Of the leaky ReLU between the critic's layers."""


def critic(latents: int, width: int = 1000, depth: int = 6) -> nn.Sequential:
    """The paper's critic: dense layers with leaky ReLU between them, codes [B, latents] -> two logits [B, 2]: is the code drawn from
    (the joint distribution, the product of its marginals)?"""
    return nn.Sequential(*dense((latents, *[width] * depth, 2), lambda: nn.LeakyReLU(SLOPE)))


def log_ratios(critic: nn.Module, z: Tensor, permuted: Tensor) -> tuple[Tensor, Tensor]:
    """The critic's r at z [B, L] for the autoencoder, [B], and at z and ``permuted`` [B', L] for the critic, [B + B'], float32.

    Gradients of the first go to z and not to the critic, of the second to the critic and to no code.
    """
    layers = [layer for layer in critic.modules() if isinstance(layer, nn.Linear)]
    parameters = [parameter for layer in layers for parameter in (layer.weight, layer.bias)]
    codes = torch.cat([z.detach(), permuted.detach()])
    device = z.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        codes, parameters = codes.to(dtype), [parameter.to(dtype) for parameter in parameters]
    return _LogRatios.apply(z, codes, *parameters)


class _LogRatios(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, codes: Tensor, *parameters: Tensor) -> tuple[Tensor, Tensor]:
        weights, biases = parameters[::2], parameters[1::2]
        activations = [codes]
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            activations.append(F.leaky_relu_(F.linear(activations[-1], weight, bias), SLOPE))
        logits = F.linear(activations[-1], weights[-1], biases[-1]).float()
        ctx.save_for_backward(*activations, *weights)
        ctx.set_materialize_grads(False)
        ratio = density_ratio(logits)
        return ratio[: len(z)].clone(), ratio

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_code: Tensor | None, by_weight: Tensor | None) -> tuple[Tensor | None, ...]:
        """The gradients of either player, or None for one who asks for none."""
        depth = len(ctx.saved_tensors) // 2
        activations, weights = ctx.saved_tensors[:depth], ctx.saved_tensors[depth:]
        signs = torch.linspace(
            1, -1, 2, dtype=weights[-1].dtype, device=weights[-1].device
        )  # made on the device
        v = signs.expand(len(activations[0]), 2)  # ∂r/∂logits
        gradients: list[Tensor | None] = [None] * (2 * depth)
        for k in reversed(range(depth)):
            if by_weight is not None:
                scaled = v * by_weight[:, None].to(v.dtype)
                gradients[2 * k : 2 * k + 2] = scaled.mT @ activations[k], scaled.sum(0)
            if k:
                # a leaky ReLU leaves every sign as it was: its result tells its slope
                v = torch.ops.aten.leaky_relu_backward(v @ weights[k], activations[k], SLOPE, True)
        by_z = None if by_code is None else (v[: len(by_code)] @ weights[0]) * by_code[:, None]
        return by_z, None, *gradients

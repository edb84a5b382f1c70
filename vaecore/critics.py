"""FactorVAE's critic, and one pass of it that serves both players.

    r(z) = c_joint(z) - c_product(z)     the critic's log density ratio, [B] nats

The autoencoder needs ∂r/∂z with the critic's weights as constants; the critic needs ∂r/∂w with the codes as
constants, at the same z. With stop-gradients these are two forward and two backward passes over the same
numbers. But the loss of either player depends on r alone, one number per row. So both gradients are made of
the same v_k = ∂r/∂h_k, with h_k the activations of layer k, scaled per row:

    ∂L/∂z   = g_z v_0              g_z [B] = ∂L/∂r of the autoencoder's loss
    ∂L/∂W_k = (g_w v_k)ᵀ h_{k-1}   g_w [B] = ∂L/∂r of the critic's loss

One forward and one backward pass cost a quarter less arithmetic (6 units of B × weights instead of 8), and
the gradients are equal within rounding.

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
"""The slope of the leaky ReLU between the critic's layers."""


def critic(latents: int, width: int = 1000, depth: int = 6) -> nn.Sequential:
    """The paper's critic: dense layers with leaky ReLU between them.

    Codes [B, latents] -> two logits [B, 2], for (the joint distribution, the product of its marginals).
    """
    return nn.Sequential(*dense((latents, *[width] * depth, 2), lambda: nn.LeakyReLU(SLOPE)))


def log_ratios(critic: nn.Module, z: Tensor, permuted: Tensor) -> tuple[Tensor, Tensor]:
    """The critic's r for the autoencoder, [B], and for the critic itself, [B + B'], both float32.

    The first is r at z [B, L], the second r at z and at ``permuted`` [B', L]. The first has a gradient in z
    and none in the critic, the second in the critic and none in the codes.
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
        """The gradients of either player; None for a player whose result has no gradient."""
        depth = len(ctx.saved_tensors) // 2
        activations, weights = ctx.saved_tensors[:depth], ctx.saved_tensors[depth:]
        # (1, -1), made on the device
        signs = torch.linspace(1, -1, 2, dtype=weights[-1].dtype, device=weights[-1].device)
        v = signs.expand(len(activations[0]), 2)  # ∂r/∂logits
        gradients: list[Tensor | None] = [None] * (2 * depth)
        for k in reversed(range(depth)):
            if by_weight is not None:
                scaled = v * by_weight[:, None].to(v.dtype)
                gradients[2 * k : 2 * k + 2] = scaled.mT @ activations[k], scaled.sum(0)
            if k:
                # a leaky ReLU keeps every sign, so the sign of its result gives its slope
                v = torch.ops.aten.leaky_relu_backward(v @ weights[k], activations[k], SLOPE, True)
        by_z = None if by_code is None else (v[: len(by_code)] @ weights[0]) * by_code[:, None]
        return by_z, None, *gradients

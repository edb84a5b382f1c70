"""Strided convolutions that are fast on a CPU.

    down   y[i, j] = Σ_kl W[k, l] x[2i + k - p, 2j + l - p] + b          k×k, stride 2, padding p
    up     y[i, j] = Σ_kl W[k, l] x[(i + 1 - k)/2, (j + 1 - l)/2] + b    4×4, stride 2, padding 1
                                                                         (terms with whole indices only)

    x  [B, c_in, n, n]
    W  down [c_out, c_in, k, k], up [c_in, c_out, 4, 4], as in Conv2d and ConvTranspose2d
    b  [c_out]

On a GPU these are PyTorch's own functions. On a CPU two formulations replace PyTorch's where those are slow
(measured on one core of an AMD EPYC with AVX-512 BF16, PyTorch 2.13, 64 images, bfloat16, channels last):

    bias gradient   summed separately: the backward pass of a transposed convolution to 32×32 takes 5.2 ms
                    without the bias gradient, and 12.2 ms with it
    narrow up       a transposed convolution to few channels wastes the vector's width: to an image of 64×64×1
                    it takes 7.3 ms. The outputs of one parity (even or odd row, even or odd column) are a 2×2
                    convolution of x. All four parities together are one 2×2 convolution to 4 c_out channels,
                    which a pixel shuffle spreads over the pixels: 2.8 ms

The sums are the same, at most in another order: outputs and gradients are equal within rounding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

__all__ = ["down", "up"]

NARROW = 4
"""The largest number of channels to which a transposed convolution is made of 2×2 ones."""


def down(x: Tensor, layer: nn.Conv2d, padding: int) -> Tensor:
    """The k×k convolution of stride 2: [B, c_in, n, n] -> [B, c_out, m, m], m = ⌊(n - k)/2 + padding⌋ + 1."""
    if x.device.type != "cpu":
        return F.conv2d(x, layer.weight, layer.bias, stride=2, padding=padding)
    return _Convolution.apply(*_cast(x, layer.weight, layer.bias), padding, False)


def up(x: Tensor, layer: nn.ConvTranspose2d) -> Tensor:
    """The 4×4 transposed convolution of stride 2 and padding 1: [B, c_in, n, n] -> [B, c_out, 2n, 2n]."""
    if x.device.type != "cpu":
        return F.conv_transpose2d(x, layer.weight, layer.bias, stride=2, padding=1)
    return _Convolution.apply(*_cast(x, layer.weight, layer.bias), 1, True)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, padding: int, transposed: bool) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.padding, ctx.transposed = padding, transposed
        if not transposed:
            return F.conv2d(x, weight, bias, stride=2, padding=padding)
        if weight.shape[1] <= NARROW:
            return _narrow_up(x, weight, bias)
        return F.conv_transpose2d(x, weight, bias, stride=2, padding=padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        by_x, by_weight, by_bias = ctx.needs_input_grad[:3]
        grad_x, grad_weight, _ = torch.ops.aten.convolution_backward(
            grad,
            x,
            weight,
            [0],  # the bias's size: its gradient is not requested
            [2, 2],
            [ctx.padding] * 2,
            [1, 1],
            ctx.transposed,
            [0, 0],
            1,
            [by_x, by_weight, False],
        )
        return grad_x, grad_weight, grad.sum((0, 2, 3)) if by_bias else None, None, None


def _narrow_up(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``up`` as one 2×2 convolution.

    On x with a border of zeros, position p of n + 1 sees x[p - 1] and x[p]. They give the two outputs between
    them: 2p - 1 = Σ x[p-1] W[2] + x[p] W[0] and 2p = Σ x[p-1] W[3] + x[p] W[1]. The outermost outputs lie
    outside the image.
    """
    c_in, c_out = weight.shape[:2]
    # [c_in, c_out, tap, parity, tap, parity]: kernel rows 2, 3 | 0, 1 are the taps for (odd, even) outputs
    taps = weight.view(c_in, c_out, 2, 2, 2, 2).flip(2, 4)
    # [c_out · parity · parity, c_in, tap, tap], the shuffle's order of channels
    stacked = taps.permute(1, 3, 5, 0, 2, 4).reshape(4 * c_out, c_in, 2, 2)
    four = F.conv2d(
        x, stacked.contiguous(memory_format=torch.channels_last), bias.repeat_interleave(4), padding=1
    )
    return F.pixel_shuffle(four, 2)[:, :, 1:-1, 1:-1]


def _cast(*tensors: Tensor | None) -> list[Tensor]:
    """The arguments of a convolution in autocast's precision."""
    present = [tensor for tensor in tensors if tensor is not None]
    assert len(present) == len(tensors), "the networks' convolutions have a bias"
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None
    return [tensor.to(dtype) for tensor in present]

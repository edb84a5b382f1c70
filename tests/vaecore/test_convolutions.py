"""The CPU's formulations equal PyTorch's convolutions: same outputs, same gradients, same weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vaecore import convolutions

B, C_IN = 3, 6


def arguments(*weight_shape: int, n: int, dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    c_out = weight_shape[1] if weight_shape[0] == C_IN and weight_shape[-1] == 4 else weight_shape[0]
    shapes = [(B, C_IN, n, n), weight_shape, (c_out,)]
    return [torch.randn(shape, generator=generator, dtype=dtype, requires_grad=True) for shape in shapes]


def layer(kind: type[nn.Module], weight: torch.Tensor, bias: torch.Tensor) -> nn.Module:
    """A layer of that class whose parameters are these tensors, so that they get the gradients."""
    module = kind(1, 1, 1)
    del module.weight, module.bias
    module.weight, module.bias = weight, bias
    return module


def up(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return convolutions.up(x, layer(nn.ConvTranspose2d, weight, bias))


def down(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, padding: int) -> torch.Tensor:
    return convolutions.down(x, layer(nn.Conv2d, weight, bias), padding)


def outcome(y: torch.Tensor, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    direction = torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return [y, *torch.autograd.grad((y * direction).sum(), inputs)]


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("c_out", [1, 3, 4, 5])
def test_up_is_the_transposed_convolution(c_out, n):
    inputs = arguments(C_IN, c_out, 4, 4, n=n)
    ours = outcome(up(*inputs), inputs)
    theirs = outcome(F.conv_transpose2d(*inputs, stride=2, padding=1), inputs)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)  # float64: rounding alone


@pytest.mark.parametrize(("k", "padding", "n"), [(4, 1, 8), (4, 1, 5), (4, 0, 9), (2, 0, 8), (2, 0, 2)])
def test_down_is_the_convolution(k, padding, n):
    inputs = arguments(7, C_IN, k, k, n=n)
    ours = outcome(down(*inputs, padding), inputs)
    theirs = outcome(F.conv2d(*inputs, stride=2, padding=padding), inputs)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("c_out", [1, 8])
def test_autocast_casts_as_it_does_for_the_plain_layer(c_out, layout):
    x, weight, bias = arguments(C_IN, c_out, 4, 4, n=8, dtype=torch.float32)
    x = x.detach().to(memory_format=layout).requires_grad_()
    inputs = [x, weight, bias]
    with torch.autocast("cpu", torch.bfloat16):
        ours = outcome(up(*inputs), inputs)
        plain = outcome(F.conv_transpose2d(*inputs, stride=2, padding=1), inputs)
    exact = outcome(F.conv_transpose2d(*inputs, stride=2, padding=1), inputs)
    assert [each.dtype for each in ours] == [torch.bfloat16] + [torch.float32] * 3
    for mine, plainly, exactly in zip(ours, plain, exact, strict=True):
        # both are bfloat16 sums in some order: our error is at most PyTorch's, plus 50 % for chance
        error = (mine.float() - exactly).norm()
        assert error <= 1.5 * (plainly.float() - exactly).norm() + 1e-6
        assert error <= 0.01 * exactly.norm()  # a bfloat16 is within 0.4 % of its number


def test_only_requested_gradients_are_computed():
    x, weight, bias = arguments(C_IN, 5, 4, 4, n=4)
    y = up(x.detach(), weight, bias)
    y.sum().backward()
    assert x.grad is None
    torch.testing.assert_close(bias.grad, torch.full((5,), float(y[:, 0].numel()), dtype=torch.float64))

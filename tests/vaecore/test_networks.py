"""Every network accepts every image size, and is the network of its paper."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from vaecore.critics import critic
from vaecore.layers import Down
from vaecore.networks import check_shape, make, names


def count(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


@pytest.mark.parametrize("size", [8, 9, 15, 28, 31, 32, 64, 100, 128])
@pytest.mark.parametrize("network", names())
def test_every_network_accepts_every_size(network, size):
    for channels in (1, 3):
        shape = (channels, size, size)
        assert make(network).encoder(shape, 7)(torch.rand(2, *shape)).shape == (2, 7)
        assert make(network).decoder(3, shape)(torch.randn(2, 3)).shape == (2, *shape)


@pytest.mark.parametrize("network", names())
@pytest.mark.parametrize("size", [8, 15, 32])
def test_every_pixel_is_seen_and_drawn(network, size):
    x = torch.rand(4, 1, size, size, requires_grad=True)
    make(network).encoder((1, size, size), 16)(x).square().sum().backward()
    assert (x.grad != 0).any(0).all(), "every pixel moves the code"
    images = make(network).decoder(3, (1, size, size))(torch.randn(8, 3))
    assert (images.std(0) > 0).all(), "the code moves every pixel"


def test_conv_at_64_has_the_studys_parameters():
    # by hand from table 1 of arXiv:1811.12359, 10 latents (20 numbers from the encoder):
    # 1·32·16+32, 32·32·16+32, 32·64·4+64, 64·64·4+64, 1024·256+256, 256·20+20
    assert count(make("conv").encoder((1, 64, 64), 20)) == 544 + 16416 + 8256 + 16448 + 262400 + 5140
    # 10·256+256, 256·1024+1024, 64·64·16+64, 64·32·16+32, 32·32·16+32, 32·1·16+1
    assert count(make("conv").decoder(10, (1, 64, 64))) == 2816 + 263168 + 65600 + 32800 + 16416 + 513


def test_burgess_at_64_has_the_papers_parameters():
    # 1·32·16+32, 3 times 32·32·16+32, 512·256+256, 256·256+256, 256·20+20
    assert count(make("burgess").encoder((1, 64, 64), 20)) == 544 + 3 * 16416 + 131328 + 65792 + 5140
    # 10·256+256, 256·256+256, 256·512+512, 3 times 32·32·16+32, 32·1·16+1
    assert count(make("burgess").decoder(10, (1, 64, 64))) == 2816 + 65792 + 131584 + 3 * 16416 + 513


def test_the_critic_is_six_layers_of_a_thousand():
    network = critic(10)
    assert count(network) == (10 * 1000 + 1000) + 5 * (1000 * 1000 + 1000) + (1000 * 2 + 2)
    assert [layer.negative_slope for layer in network if isinstance(layer, nn.LeakyReLU)] == [0.2] * 6
    assert network(torch.randn(5, 10)).shape == (5, 2)


def test_mlp_without_hidden_layers_is_linear():
    linear = {"name": "mlp", "hidden": []}
    encode, decode = make(linear).encoder((1, 8, 8), 4), make(linear).decoder(4, (1, 8, 8))
    assert count(encode) == 64 * 4 + 4
    assert count(decode) == 4 * 64 + 64
    x, y, z, w = torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 8), torch.randn(2, 4), torch.randn(2, 4)
    torch.testing.assert_close(encode(x + y) + encode(torch.zeros_like(x)), encode(x) + encode(y))
    torch.testing.assert_close(decode(z + w) + decode(torch.zeros_like(z)), decode(z) + decode(w))


@pytest.mark.parametrize(("kernel", "n"), list(itertools.product((2, 4), (1, 2, 7, 8))))
def test_odd_sizes_are_padded_at_the_end(kernel, n):
    """TensorFlow's SAME rule: an odd map convolves like the map with a row and a column of zeros appended."""
    layer = Down(3, 5, kernel, n)
    even = Down(3, 5, kernel, n + n % 2)
    even.load_state_dict(layer.state_dict())
    x = torch.randn(2, 3, n, n)
    padded = nn.functional.pad(x, (0, n % 2, 0, n % 2))
    torch.testing.assert_close(layer(x), even(padded))
    assert layer(x).shape == (2, 5, -(-n // 2), -(-n // 2))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("resnet", "burgess, conv, mlp"),
        ({"hidden": [3]}, "unknown network None"),
        ({"name": "conv", "hidden": [3]}, "'hidden'"),
        ({"name": "mlp", "widths": [3]}, "'widths'"),
        ({"name": "mlp", "hidden": 3}, "got 3"),
        ({"name": "mlp", "hidden": [0]}, "≥ 1"),
        (None, "a network is a name"),
    ],
)
def test_mistakes_are_named(network, message):
    with pytest.raises(ValueError, match="network") as caught:
        make(network)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "message"),
    [((1, 64, 32), "64×32"), ((1, 7, 7), "7×7"), ((1, 129, 129), "129×129"), ((2, 64, 64), "got 2")],
)
def test_images_of_unsupported_shapes_are_named(shape, message):
    with pytest.raises(ValueError, match=f"networks take .*{message}"):
        check_shape(shape)

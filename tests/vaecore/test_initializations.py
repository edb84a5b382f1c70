"""Every initialization is its paper's: moments and bounds of weights and biases, layer by layer."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from tests.vaecore.small import make as make_family
from vaecore.families import names as families
from vaecore.initializations import Layer, make, names
from vaecore.networks import NETWORKS

LAYERS = {
    "dense": lambda: nn.Linear(300, 200),
    "convolution": lambda: nn.Conv2d(32, 64, 4),
    "transposed convolution": lambda: nn.ConvTranspose2d(64, 32, 4),
}
UNIFORM = {"tensorflow", "kaiming", "pytorch"}


def fans(layer: Layer) -> tuple[int, int]:
    """Inputs and outputs that a weight connects, as PyTorch counts them."""
    a, b, *kernel = layer.weight.shape
    return b * math.prod(kernel), a * math.prod(kernel)


def filled(name: str, kind: str) -> Layer:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = LAYERS[kind]()
        with torch.no_grad():
            layer.weight.fill_(7), layer.bias.fill_(7)  # values that must be overwritten
        return make(name)(layer)


def variances(name: str, layer: Layer) -> tuple[float, float]:
    """The variances of weights and biases, in closed form."""
    fan_in, fan_out = fans(layer)
    return {
        "tensorflow": (2 / (fan_in + fan_out), 0.0),
        "kaiming": (2 / fan_in, 1 / (3 * fan_in)),
        "pytorch": (1 / (3 * fan_in), 1 / (3 * fan_in)),
        # rows or columns of length √2, whichever are fewer
        "orthogonal": (2 / max(layer.weight.shape[0], layer.weight[0].numel()), 0.0),
    }[name]


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("name", names())
def test_moments_are_in_closed_form(name, kind):
    layer = filled(name, kind)
    weight, bias = variances(name, layer)
    n = layer.weight.numel()
    # mean and variance of n uniform numbers within five standard errors; the variance's is 0.9 / √n, relative
    assert abs(layer.weight.mean().item()) < 5 * math.sqrt(weight / n)
    assert layer.weight.var().item() == pytest.approx(weight, rel=5 / math.sqrt(n))
    if not bias:
        assert not layer.bias.any()
    else:  # the largest of 32 to 200 biases lies between half the bound and the bound
        assert math.sqrt(3 * bias) / 2 < layer.bias.abs().max().item() <= math.sqrt(3 * bias)
    if name in UNIFORM:
        assert (
            0.99 * math.sqrt(3 * weight)
            < layer.weight.abs().max().item()
            <= math.sqrt(3 * weight) * (1 + 1e-6)
        )


@pytest.mark.parametrize("kind", LAYERS)
def test_orthogonal_weights_have_one_singular_value(kind):
    singular = torch.linalg.svdvals(filled("orthogonal", kind).weight.flatten(1))
    torch.testing.assert_close(singular, torch.full_like(singular, math.sqrt(2)), rtol=1e-4, atol=0)


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("family", families())
def test_every_layer_of_a_family_is_filled(family, name):
    """Encoder, decoder and a family's own networks have the initialization's weights, not the layers' own."""
    model = make_family(family, initialization=name)
    layers = [layer for layer in model.modules() if isinstance(layer, Layer)]
    assert len(layers) >= 4
    for layer in layers:
        weight, bias = variances(name, layer)
        if weight and name in UNIFORM:
            assert layer.weight.abs().max().item() <= math.sqrt(3 * weight) * (1 + 1e-6)
        assert layer.weight.std().item() == pytest.approx(math.sqrt(weight), rel=0.5), "of some ten weights"
        if layer.bias is not None:
            assert layer.bias.abs().max().item() <= math.sqrt(3 * bias) * (1 + 1e-6)


def test_each_network_has_the_initialization_of_its_publication():
    defaults = {name: NETWORKS.cls(name).initialization for name in NETWORKS.names()}
    assert defaults == {"conv": "tensorflow", "burgess": "kaiming", "mlp": "tensorflow"}
    for network, initialization in defaults.items():
        default, named = (
            make_family("vae", network=network, shape=(1, 16, 16), initialization=each).state_dict()
            for each in (None, initialization)
        )
        torch.testing.assert_close(default, named, rtol=0, atol=0)


def test_an_unknown_one_is_an_error_that_lists_them():
    with pytest.raises(
        ValueError, match=r"unknown initialization 'he'.*kaiming, orthogonal, pytorch, tensorflow"
    ):
        make("he")

"""Encoders, decoders and the critic.

An encoder maps images x [B, C, H, W] to numbers [B, E] (the posterior's parameters); a decoder maps codes z [B, L] to the
likelihood's parameters [B, C, H, W] (Bernoulli logits or Gaussian means). H = W from 8 to 128, C 1 or 3. "k×k/2" is a k×k
(transposed) convolution of stride 2; ReLU everywhere but after the last layer.

    conv      32 4×4/2, 32 4×4/2, 64 2×2/2, 64 2×2/2, 256, E  |  256, 64·h·w, 64 4×4/2, 32 4×4/2, 32 4×4/2, C 4×4/2
              F. Locatello, S. Bauer, M. Lucic, G. Rätsch, S. Gelly, B. Schölkopf, O. Bachem, Challenging Common Assumptions in the
              Unsupervised Learning of Disentangled Representations, 2019, arXiv:1811.12359 (the 12,600 models; there H = 64, h = 4)
    burgess   4 times 32 4×4/2, 256, 256, E  |  256, 256, 32·h·w, 3 times 32 4×4/2, C 4×4/2
              C. P. Burgess, I. Higgins, A. Pal, L. Matthey, N. Watters, G. Desjardins, A. Lerchner, Understanding disentangling in
              β-VAE, 2018, arXiv:1804.03599
    mlp       the pixels, `hidden` widths, E  |  L, `hidden` reversed, the pixels; `hidden: []` is linear
    critic    L, 6 times 1000 leaky ReLU (slope 0.2), 2 logits: the code is drawn from (the joint, the product of marginals)
              H. Kim, A. Mnih, Disentangling by Factorising, 2018, arXiv:1802.05983

Any size goes through the same layers by TensorFlow's SAME rule (the study was run in TensorFlow): stride 2 maps n to ceil(n/2), padding
with zeros by max(2 ceil(n/2) - 2 + k - n, 0), the odd one at the end; the decoder takes the encoder's sizes backwards and crops the
same way. Weights start as there too: Glorot uniform, biases zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from vaecore import convolutions, critics

__all__ = ["critic", "decoder", "encoder", "names"]

Shape = tuple[int, int, int]
Network = str | Mapping[str, Any]

# channels and kernels of the encoder, channels of the decoder but the last (which are the image's), and the dense widths
CONVOLUTIONAL: dict[str, dict[str, tuple[int, ...]]] = {
    "conv": {"channels": (32, 32, 64, 64), "kernels": (4, 4, 2, 2), "up": (64, 32, 32), "dense": (256,)},
    "burgess": {
        "channels": (32, 32, 32, 32),
        "kernels": (4, 4, 4, 4),
        "up": (32, 32, 32),
        "dense": (256, 256),
    },
}
MLP_HIDDEN = (256, 256)
SIZES = (8, 128)


def names() -> list[str]:
    """The networks that a configuration can name."""
    return sorted([*CONVOLUTIONAL, "mlp"])


def encoder(network: Network, image_shape: Shape, outputs: int) -> nn.Module:
    """The encoder of ``network`` ("conv", "burgess", "mlp" or {"name": "mlp", "hidden": [...]}): [B, C, H, W] -> [B, outputs].

    Raises a ValueError for an unknown network or option, or an image shape that it cannot take.
    """
    name, hidden = _parse(network)
    C, H, _ = _check(image_shape)
    if name == "mlp":
        return _initialised(nn.Sequential(nn.Flatten(), *_dense((C * H * H, *hidden, outputs))))
    plan, sizes = CONVOLUTIONAL[name], _sizes(H)
    layers: list[nn.Module] = []
    for (n, _), (c_in, c_out), k in zip(
        pairwise(sizes), pairwise((C, *plan["channels"])), plan["kernels"], strict=True
    ):
        layers += [_Down(c_in, c_out, k, n), nn.ReLU()]
    flat = plan["channels"][-1] * sizes[-1] ** 2
    return _initialised(nn.Sequential(*layers, nn.Flatten(), *_dense((flat, *plan["dense"], outputs))))


def decoder(network: Network, image_shape: Shape, latents: int) -> nn.Module:
    """The decoder of ``network``, its encoder mirrored: [B, latents] -> [B, C, H, W]. Errors as in ``encoder``."""
    name, hidden = _parse(network)
    C, H, W = _check(image_shape)
    if name == "mlp":
        return _initialised(
            nn.Sequential(*_dense((latents, *reversed(hidden), C * H * W)), nn.Unflatten(1, (C, H, W)))
        )
    plan, sizes = CONVOLUTIONAL[name], _sizes(H)[::-1]
    first = plan["channels"][-1]
    start = (first, sizes[0], sizes[0])
    layers: list[nn.Module] = [
        *_dense((latents, *plan["dense"], first * sizes[0] ** 2)),
        nn.ReLU(),
        nn.Unflatten(1, start),
    ]
    for (_, n), (c_in, c_out) in zip(pairwise(sizes), pairwise((first, *plan["up"], C)), strict=True):
        layers += [_Up(c_in, c_out, n), nn.ReLU()]
    return _initialised(nn.Sequential(*layers[:-1]))  # no ReLU on the likelihood's parameters


def critic(latents: int, width: int = 1000, depth: int = 6) -> nn.Module:
    """FactorVAE's critic: codes [B, latents] -> two logits [B, 2]."""
    return _initialised(
        nn.Sequential(*_dense((latents, *[width] * depth, 2), lambda: nn.LeakyReLU(critics.SLOPE)))
    )


class _Down(nn.Module):
    """A k×k convolution of stride 2 under the SAME rule: [B, c_in, n, n] -> [B, c_out, ceil(n/2), ceil(n/2)]."""

    def __init__(self, c_in: int, c_out: int, k: int, n: int) -> None:
        super().__init__()
        total = max(2 * -(-n // 2) - 2 + k - n, 0)
        before, after = total // 2, total - total // 2
        self.pad = nn.ZeroPad2d((before, after, before, after)) if before != after else nn.Identity()
        self.padding = before if before == after else 0
        self.convolution = nn.Conv2d(c_in, c_out, k, stride=2, padding=self.padding)

    def forward(self, x: Tensor) -> Tensor:
        return convolutions.down(self.pad(x), self.convolution, self.padding)


class _Up(nn.Module):
    """A 4×4 transposed convolution of stride 2 under the SAME rule: [B, c_in, ceil(n/2), ceil(n/2)] -> [B, c_out, n, n]."""

    def __init__(self, c_in: int, c_out: int, n: int) -> None:
        super().__init__()
        self.n = n
        self.convolution = nn.ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return convolutions.up(x, self.convolution)[:, :, : self.n, : self.n]


def _dense(widths: Sequence[int], activation: Any = nn.ReLU) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), activation()]
    return layers[:-1]


def _sizes(n: int) -> list[int]:
    """The side of the image and of the maps after each of the four layers."""
    sizes = [n]
    for _ in range(4):
        sizes.append(-(-sizes[-1] // 2))
    return sizes


def _initialised(module: nn.Sequential) -> nn.Sequential:
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module


def _parse(network: Network) -> tuple[str, tuple[int, ...]]:
    options = {"name": network} if isinstance(network, str) else dict(network)
    name = options.pop("name", None)
    if name not in names():
        raise ValueError(f"unknown network {name!r}; the networks are: {', '.join(names())}")
    hidden = options.pop("hidden", MLP_HIDDEN) if name == "mlp" else ()
    if options:
        allowed = "'hidden'" if name == "mlp" else "no option"
        raise ValueError(f"network {name!r} takes {allowed}, got {next(iter(options))!r}")
    good = isinstance(hidden, Sequence) and not isinstance(hidden, str)
    if not good or not all(
        isinstance(width, int) and not isinstance(width, bool) and width > 0 for width in hidden
    ):
        raise ValueError(
            f"network 'mlp': 'hidden' must be a list of whole numbers above 0 ([] is linear), got {hidden!r}"
        )
    return name, tuple(hidden)


def _check(image_shape: Shape) -> Shape:
    C, H, W = image_shape
    if C not in (1, 3):
        raise ValueError(f"networks take images of 1 or 3 channels, got {C} (shape {tuple(image_shape)})")
    if H != W or not SIZES[0] <= H <= SIZES[1]:
        raise ValueError(
            f"networks take square images from {SIZES[0]}×{SIZES[0]} to {SIZES[1]}×{SIZES[1]}, got {H}×{W}: "
            f"set the data set's image_size, or prepare it at such a size"
        )
    return C, H, W

"""What networks are made of: stacks of dense layers, and pyramids of strided convolutions for any size.

"k×k/2" is a k×k (transposed) convolution of stride 2. Any size goes through the same layers by TensorFlow's SAME rule (the
12,600-model study was run in TensorFlow): stride 2 maps n to ceil(n/2), padding with zeros by max(2 ceil(n/2) - 2 + k - n, 0), the
odd one at the end; the decoder takes the encoder's sizes backwards and crops the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor, nn

from vaecore import convolutions

__all__ = ["Down", "Up", "dense", "pyramid_decoder", "pyramid_encoder"]


class Down(nn.Module):
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


class Up(nn.Module):
    """A 4×4 transposed convolution of stride 2 under the SAME rule: [B, c_in, ceil(n/2), ceil(n/2)] -> [B, c_out, n, n]."""

    def __init__(self, c_in: int, c_out: int, n: int) -> None:
        super().__init__()
        self.n = n
        self.convolution = nn.ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return convolutions.up(x, self.convolution)[:, :, : self.n, : self.n]


def dense(widths: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU) -> list[nn.Module]:
    """Dense layers from width to width, with ``activation`` between them and none at the end."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), activation()]
    return layers[:-1]


def pyramid_encoder(
    shape: tuple[int, int, int],
    outputs: int,
    *,
    channels: Sequence[int],
    kernels: Sequence[int],
    widths: Sequence[int],
) -> nn.Sequential:
    """Convolutions of stride 2 to ``channels``, then dense layers of ``widths``: [B, C, H, H] -> [B, outputs]."""
    C, H, _ = shape
    sizes = _sizes(H, len(channels))
    layers: list[nn.Module] = []
    for (n, _), (c_in, c_out), k in zip(pairwise(sizes), pairwise((C, *channels)), kernels, strict=True):
        layers += [Down(c_in, c_out, k, n), nn.ReLU()]
    flat = channels[-1] * sizes[-1] ** 2
    return nn.Sequential(*layers, nn.Flatten(), *dense((flat, *widths, outputs)))


def pyramid_decoder(
    latents: int,
    shape: tuple[int, int, int],
    *,
    widths: Sequence[int],
    channels: Sequence[int],
) -> nn.Sequential:
    """Dense layers of ``widths``, then transposed convolutions over ``channels``, of which the first are the maps that the
    dense layers end in, to the image's: [B, latents] -> [B, C, H, H]."""
    C, H, _ = shape
    sizes = _sizes(H, len(channels))[::-1]
    start = (channels[0], sizes[0], sizes[0])
    layers: list[nn.Module] = [
        *dense((latents, *widths, channels[0] * sizes[0] ** 2)),
        nn.ReLU(),
        nn.Unflatten(1, start),
    ]
    for (_, n), (c_in, c_out) in zip(pairwise(sizes), pairwise((*channels, C)), strict=True):
        layers += [Up(c_in, c_out, n), nn.ReLU()]
    return nn.Sequential(*layers[:-1])  # no ReLU on the likelihood's parameters


def _sizes(n: int, layers: int) -> list[int]:
    """The side of the image and of the maps after each of the layers."""
    sizes = [n]
    for _ in range(layers):
        sizes.append(-(-sizes[-1] // 2))
    return sizes

"""Building blocks of networks: dense layers, and pyramids of strided convolutions for images of any size.

"k×k/2" is a k×k (transposed) convolution of stride 2. Images of every size use the same layers by
TensorFlow's SAME rule, since the 12,600-model study was run in TensorFlow: stride 2 maps n to ceil(n/2), with
max(2 ceil(n/2) - 2 + k - n, 0) zeros of padding, an odd one at the end. The decoder has the encoder's sizes
in reverse and crops by the same rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor, nn

from vaecore import convolutions

__all__ = ["Down", "Up", "dense", "pyramid_decoder", "pyramid_encoder"]


class Down(nn.Module):
    """A k×k/2 convolution under the SAME rule: [B, c_in, n, n] -> [B, c_out, ⌈n/2⌉, ⌈n/2⌉]."""

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
    """A 4×4/2 transposed convolution under the SAME rule: [B, c_in, ⌈n/2⌉, ⌈n/2⌉] -> [B, c_out, n, n]."""

    def __init__(self, c_in: int, c_out: int, n: int) -> None:
        super().__init__()
        self.n = n
        self.convolution = nn.ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return convolutions.up(x, self.convolution)[:, :, : self.n, : self.n]


def dense(widths: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU) -> list[nn.Module]:
    """Dense layers of these widths, with ``activation`` between them and none at the end."""
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
    """k×k/2 convolutions to ``channels``, then dense layers of ``widths``: [B, C, H, H] -> [B, outputs]."""
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
    """Dense layers of ``widths``, then transposed convolutions: [B, latents] -> [B, C, H, H].

    The dense layers end in ``channels[0]`` maps, the convolutions lead to the other ``channels`` and to C.
    """
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
    """The side of the image, and of the maps after each layer."""
    sizes = [n]
    for _ in range(layers):
        sizes.append(-(-sizes[-1] // 2))
    return sizes

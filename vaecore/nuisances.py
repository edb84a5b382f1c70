"""Nuisances: random colours, noise or backgrounds that are added to an image each time that it is drawn.

    colour       x = m c                                 c ~ U(½, 1)³, one colour per image
    noise        x = min(m + u, 1)                       u ~ U(0, 1), of every pixel and channel
    background   x = (1 - m) b + m (1 - b)               b = ½ (a crop of a picture, at a random place + c), c
                                                         ~ U(0, 1)³

    m   the sprite, [B, 1, H, W] in [0, 1]; in the original binary
    x   [B, 3, H, W] in [0, 1]

What is drawn is independent of the factors, so a model that spends rate on it spends it on a nuisance. The
noise has 256 levels, k / 255, as images do.

The random numbers are a hash of three 32-bit numbers: the row of the image, a salt, and a counter. Training
draws a new salt for every image of every batch. Evaluation uses the salt 0, so that the image of a row is
always the same, whatever its batch. A hash of whole numbers gives the same bits on every device. It is M.
O'Neill's and C. Wellons' "lowbias32" (its bias is below that of MurmurHash3's finaliser), in 32-bit
arithmetic that wraps around.

Colour-, Noisy- and Scream-dSprites: F. Locatello, S. Bauer, M. Lucic, G. Rätsch, S. Gelly, B. Schölkopf, O.
Bachem, Challenging Common Assumptions in the Unsupervised Learning of Disentangled Representations, 2019,
arXiv:1811.12359.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Nuisance", "names"]

MULTIPLIERS = (0x7FEB352D, 0x846CA68B - (1 << 32))
"""The factors of lowbias32, as signed numbers."""
STRIDE = 0x9E3779B9 - (1 << 32)
"""2³² / the golden ratio: neighbouring counters start far apart."""


def names() -> list[str]:
    """The nuisances that a data set can name."""
    return ["background", "colour", "noise"]


class Nuisance:
    """One of the three, for images of H×W pixels."""

    def __init__(self, name: str, size: tuple[int, int], picture: Tensor | None = None) -> None:
        """``picture``: uint8 [3, H', W'], at least H×W; for "background" alone.

        Raises:
            ValueError: no such nuisance; a picture that is missing, superfluous or too small.
        """
        if name not in names():
            raise ValueError(f"unknown nuisance {name!r}; the nuisances are: {', '.join(names())}")
        if (picture is None) == (name == "background"):
            needs = "needs a picture" if picture is None else "takes no picture"
            raise ValueError(f"nuisance {name!r} {needs}")
        self.name = name
        self.size = H, W = size
        self.picture = picture
        device = None
        if picture is not None:
            if picture.dtype != torch.uint8 or picture.ndim != 3 or len(picture) != 3:
                raise ValueError(f"a picture is uint8 [3, H, W], got {picture.dtype} {list(picture.shape)}")
            if picture.shape[1] < H or picture.shape[2] < W:
                raise ValueError(
                    f"a picture must be at least as large as the images, {H}×{W}, "
                    f"got {picture.shape[1]}×{picture.shape[2]}"
                )
            device = picture.device
        words = -(-3 * H * W // 4) if name == "noise" else 5  # one word makes four bytes of noise
        self._counter = torch.arange(1, words + 1, dtype=torch.int32, device=device) * STRIDE  # wraps around
        if picture is not None:
            fractions = picture.float() * (1 / 255)
            # every crop, as a view: [H' - H + 1, W' - W + 1, 3, H, W]
            self._crops = fractions.unfold(1, H, 1).unfold(2, W, 1).permute(1, 2, 0, 3, 4)

    def to(self, device: torch.device | str) -> Nuisance:
        """The same on ``device``."""
        moved = Nuisance(self.name, self.size, None if self.picture is None else self.picture.to(device))
        moved._counter = moved._counter.to(device)
        return moved

    def __call__(self, m: Tensor, row: Tensor, salt: Tensor | None = None) -> Tensor:
        """Images [B, 1, H, W] with the nuisance: float32 [B, 3, H, W].

        Args:
            row: int [B], the rows of the images in the data set.
            salt: int [B], a seed for each image; None is 0, which gives a row the same nuisance every time.
        """
        key = _hash(row.to(torch.int32) + 1)
        key = _hash(key if salt is None else key ^ salt.to(torch.int32))
        words = _hash(self._counter + key[:, None])  # int32 [B, words]
        B, _, H, W = m.shape
        if self.name == "noise":
            noise = words.view(torch.uint8)[:, : 3 * H * W].reshape(B, 3, H, W).float()
            return noise.mul_(1 / 255).add_(m).clamp_(max=1)
        c = _uniform(words[:, :3])[:, :, None, None]  # [B, 3, 1, 1]
        if self.name == "colour":
            return m * (0.5 + 0.5 * c)
        down, across = self._crops.shape[:2]
        top = (_uniform(words[:, 3]) * down).long()
        left = (_uniform(words[:, 4]) * across).long()
        b = self._crops[top, left].add_(c).mul_(0.5)  # [B, 3, H, W]
        return (1 - 2 * b).mul_(m).add_(b)


def _hash(x: Tensor) -> Tensor:
    """lowbias32 of int32 numbers."""
    x = x ^ (x >> 16).bitwise_and_(0xFFFF)  # >> keeps the sign, the mask drops it
    x *= MULTIPLIERS[0]
    x ^= (x >> 15).bitwise_and_(0x1FFFF)
    x *= MULTIPLIERS[1]
    x ^= (x >> 16).bitwise_and_(0xFFFF)
    return x


def _uniform(words: Tensor) -> Tensor:
    """float32 in [0, 1) from the upper 24 bits."""
    return ((words >> 8) & 0xFFFFFF).float() * (1 / (1 << 24))

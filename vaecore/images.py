"""Images as they lie in memory (uint8, or one bit per pixel) and as a network sees them.

    stored  uint8 [N, C, H, W]              x = stored / 255
    stored  uint8 [N, ceil(C H W / 8)]      eight pixels per byte in numpy.packbits' order (the first pixel is the highest bit),
                                            1 = white; x in {0, 1}

    x       float32 [B, C, H, W] in [0, 1]

Images of one channel may be dressed in colour by a nuisance each time that they are drawn (``vaecore.nuisances``): then they are
stored as [N, 1, H, W] or its bits, and C is 3.

A batch is expanded from its stored rows with one look-up: a table with the 256 possible bytes as rows. Stored images are never
written, so they may be a tensor over a read-only memory map.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vaecore.nuisances import Nuisance

__all__ = ["Images"]


class Images:
    """N images of one shape (C, H, W), expanded to float batch by batch on the device where they are stored."""

    def __init__(
        self, stored: Tensor, shape: tuple[int, int, int], nuisance: Nuisance | None = None, *, first: int = 0
    ) -> None:
        """``first`` is the row in the data set of the first of these images: a nuisance is the same wherever its image is stored."""
        C, H, W = (int(size) for size in shape)
        channels = C if nuisance is None else 1
        pixels = channels * H * W
        if stored.dtype != torch.uint8:
            raise ValueError(
                f"images must be stored as uint8, got {stored.dtype}: convert them when the data set is prepared"
            )
        if nuisance is not None and (3, *nuisance.size) != (C, H, W):
            raise ValueError(
                f"a nuisance for {nuisance.size} makes images of shape {(3, *nuisance.size)}, got {(C, H, W)}"
            )
        self.packed = stored.ndim == 2
        expected = (-(-pixels // 8),) if self.packed else (channels, H, W)
        if stored.ndim not in (2, 4) or tuple(stored.shape[1:]) != expected:
            raise ValueError(
                f"images of shape {(channels, H, W)} are stored as [N, {channels}, {H}, {W}] or, bit-packed, as "
                f"[N, {-(-pixels // 8)}], got {list(stored.shape)}"
            )
        self.stored = stored
        self.shape = (C, H, W)
        self.nuisance = nuisance
        self.first = first
        if self.packed:
            byte = torch.arange(256, device=stored.device)[:, None]
            self._table = ((byte >> torch.arange(7, -1, -1, device=stored.device)) & 1).float()  # [256, 8]

    def __len__(self) -> int:
        return len(self.stored)

    def to(self, device: torch.device | str) -> Images:
        """The same images on ``device``."""
        nuisance = None if self.nuisance is None else self.nuisance.to(device)
        return Images(self.stored.to(device), self.shape, nuisance, first=self.first)

    def part(self, start: int, stop: int) -> Images:
        """Some consecutive images, which look as they do among all."""
        return Images(self.stored[start:stop], self.shape, self.nuisance, first=self.first + start)

    def batch(self, index: Tensor, salt: Tensor | None = None) -> Tensor:
        """The images ``index`` (int64 [B]) as float32 [B, C, H, W] in [0, 1].

        ``salt``: int [B], what a nuisance is drawn by; None dresses each image as it always is when it is looked at once.
        """
        rows = self.stored[index]
        C, H, W = self.shape
        channels = C if self.nuisance is None else 1
        if self.packed:
            pixels = F.embedding(rows.int(), self._table).flatten(1)  # [B, 8 ceil(CHW / 8)]
            x = pixels[:, : channels * H * W].reshape(-1, channels, H, W)
        else:
            x = rows.float().mul_(1 / 255)
        return x if self.nuisance is None else self.nuisance(x, index + self.first, salt)

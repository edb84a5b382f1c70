"""Images as they are stored (uint8, or one bit per pixel), and as a network sees them.

    stored  uint8 [N, C, H, W]              x = stored / 255
    stored  uint8 [N, ceil(C H W / 8)]      eight pixels per byte in numpy.packbits' order (the first pixel is
                                            the highest bit), 1 = white; x in {0, 1}

    x       float32 [B, C, H, W] in [0, 1]

A nuisance colours images of one channel anew each time that they are drawn (``vaecore.nuisances``). Such
images are stored as [N, 1, H, W] or as its bits, and C is 3.

One look-up expands the stored rows of a batch: a table has the 256 possible bytes as rows. Stored images are
never written, so they may be a tensor over a read-only memory map.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vaecore.nuisances import Nuisance

__all__ = ["Images"]


class Images:
    """N images of one shape (C, H, W), expanded to float batch by batch on the device that stores them."""

    def __init__(
        self, stored: Tensor, shape: tuple[int, int, int], nuisance: Nuisance | None = None, *, first: int = 0
    ) -> None:
        """``first``: row in the data set of the first of these images. It determines their nuisance."""
        C, H, W = (int(size) for size in shape)
        channels = C if nuisance is None else 1
        pixels = channels * H * W
        if stored.dtype != torch.uint8:
            raise ValueError(
                f"images must be stored as uint8, got {stored.dtype}: "
                "convert them when the data set is prepared"
            )
        if nuisance is not None and (3, *nuisance.size) != (C, H, W):
            raise ValueError(
                f"a nuisance for {nuisance.size} makes images of shape {(3, *nuisance.size)}, got {(C, H, W)}"
            )
        self.packed = stored.ndim == 2
        expected = (-(-pixels // 8),) if self.packed else (channels, H, W)
        if stored.ndim not in (2, 4) or tuple(stored.shape[1:]) != expected:
            raise ValueError(
                f"images of shape {(channels, H, W)} are stored as [N, {channels}, {H}, {W}] "
                f"or, bit-packed, as [N, {-(-pixels // 8)}], got {list(stored.shape)}"
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
        """The images ``start`` to ``stop``, with the same pixels as here."""
        return Images(self.stored[start:stop], self.shape, self.nuisance, first=self.first + start)

    def batch(self, index: Tensor, salt: Tensor | None = None) -> Tensor:
        """The images ``index`` (int64 [B]) as float32 [B, C, H, W] in [0, 1].

        ``salt``: int [B], the seed of each image's nuisance. None is the fixed seed of evaluation.
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

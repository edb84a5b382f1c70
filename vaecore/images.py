"""Images as they lie in memory (uint8, or one bit per pixel) and as a network sees them.

    stored  uint8 [N, C, H, W]              x = stored / 255
    stored  uint8 [N, ceil(C H W / 8)]      eight pixels per byte in numpy.packbits' order (the first pixel is the highest bit),
                                            1 = white; x in {0, 1}

    x       float32 [B, C, H, W] in [0, 1]

A batch is expanded from its stored rows with one look-up: a table with the 256 possible bytes as rows. Stored images are never
written, so they may be a tensor over a read-only memory map.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["Images"]


class Images:
    """N images of one shape (C, H, W), expanded to float batch by batch on the device where they are stored."""

    def __init__(self, stored: Tensor, shape: tuple[int, int, int]) -> None:
        C, H, W = (int(size) for size in shape)
        pixels = C * H * W
        if stored.dtype != torch.uint8:
            raise ValueError(
                f"images must be stored as uint8, got {stored.dtype}: convert them when the data set is prepared"
            )
        self.packed = stored.ndim == 2
        expected = (-(-pixels // 8),) if self.packed else (C, H, W)
        if stored.ndim not in (2, 4) or tuple(stored.shape[1:]) != expected:
            raise ValueError(
                f"images of shape {(C, H, W)} are stored as [N, {C}, {H}, {W}] or, bit-packed, as [N, {-(-pixels // 8)}], "
                f"got {list(stored.shape)}"
            )
        self.stored = stored
        self.shape = (C, H, W)
        if self.packed:
            byte = torch.arange(256, device=stored.device)[:, None]
            self._table = ((byte >> torch.arange(7, -1, -1, device=stored.device)) & 1).float()  # [256, 8]

    def __len__(self) -> int:
        return len(self.stored)

    def to(self, device: torch.device | str) -> Images:
        """The same images on ``device``."""
        return Images(self.stored.to(device), self.shape)

    def batch(self, index: Tensor) -> Tensor:
        """The images ``index`` (int64 [B]) as float32 [B, C, H, W] in [0, 1]."""
        rows = self.stored[index]
        if not self.packed:
            return rows.float().mul_(1 / 255)
        pixels = F.embedding(rows.int(), self._table).flatten(1)  # [B, 8 ceil(CHW / 8)]
        C, H, W = self.shape
        return pixels[:, : C * H * W].reshape(-1, C, H, W)

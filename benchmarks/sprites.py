"""dSprites for the contestants: the same images bit-packed for ours and as float32 for the peers, in two
files.

The n images are evenly spaced over the 737,280 of the full grid: image k is number floor(k · 737280 / n) in
the lexicographic order of (shape, scale, orientation, pos_x, pos_y). All processes map the files into memory.

    packed.npy   uint8 [n, 512]              for ``vaecore.images.Images``; eight pixels per byte
    float.npy    float32 [n, 1, 64, 64]      for a TensorDataset; 32 times as large
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.data.shared import sprites
from vaecore.images import Images

__all__ = ["TOTAL", "draw", "floats", "packed", "write"]

POSES = list(product(sprites.OUTLINES, range(6), range(40)))
POSITIONS = 32
TOTAL = len(POSES) * POSITIONS**2
PIXELS = sprites.SIZE**2


def draw(n: int) -> np.ndarray:
    """uint8 [n, 512], bit-packed."""
    if not 1 <= n <= TOTAL:
        raise ValueError(f"--images {n}: dSprites has {TOTAL} images; give a number from 1 to {TOTAL}")
    chosen = np.arange(n) * TOTAL // n
    rows = np.empty((n, PIXELS // 8), np.uint8)
    positions = np.arange(POSITIONS)
    per_pose = POSITIONS**2
    starts = np.searchsorted(chosen, np.arange(len(POSES) + 1) * per_pose)
    for pose, (shape, scale, orientation) in enumerate(POSES):
        here = slice(starts[pose], starts[pose + 1])
        if here.start < here.stop:
            words = sprites.draw(shape, scale, orientation, positions, positions)
            blocks = words.astype(">u8").view(np.uint8).reshape(per_pose, -1)
            rows[here] = blocks[chosen[here] - pose * per_pose]
    return rows


def write(n: int, folder: Path) -> None:
    """Write both files into ``folder``."""
    rows = draw(n)
    np.save(folder / "packed.npy", rows)
    pixels = np.lib.format.open_memmap(
        folder / "float.npy", mode="w+", dtype=np.float32, shape=(n, 1, sprites.SIZE, sprites.SIZE)
    )
    for start in range(0, n, 4096):
        some = np.unpackbits(rows[start : start + 4096], axis=1)
        pixels[start : start + 4096] = some.reshape(-1, 1, sprites.SIZE, sprites.SIZE)
    pixels.flush()


def packed(folder: Path, side: int = sprites.SIZE) -> Images:
    """The images for ours, bit-packed; for a ``side`` below 64, every (64 / side)th pixel as uint8."""
    rows = np.load(folder / "packed.npy")
    if side == sprites.SIZE:
        return Images(torch.from_numpy(rows), (1, side, side))
    if sprites.SIZE % side:
        raise ValueError(f"side {side}: expected a divisor of 64, the side of dSprites")
    every = sprites.SIZE // side
    pixels = np.unpackbits(rows, axis=1).reshape(-1, 1, sprites.SIZE, sprites.SIZE)[:, :, ::every, ::every]
    return Images(torch.from_numpy(255 * pixels), (1, side, side))


def floats(folder: Path) -> Tensor:
    """The images for peers, float32 [n, 1, 64, 64]: a file mapped into memory, with every page read."""
    # copy-on-write, because PyTorch warns of read-only memory
    pixels = torch.from_numpy(np.load(folder / "float.npy", mmap_mode="c"))
    pixels.sum()
    return pixels

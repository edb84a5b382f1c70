"""Scaling images down by averaging areas.

    out[i, j] = round( sum_hw  A[i, h] A[j, w] x[h, w] )        A[i, h] = (S/H) |[i H/S, (i+1) H/S) ∩ [h, h+1)|

H is the old size, S the new one: an output pixel is the mean over the square that it covers, the exact mean of a block
where S divides H. H·A is a matrix of whole numbers, so all sums are of whole numbers that float32 holds exactly: no
machine and no order of summation gives another image. Halves round up.
"""

from __future__ import annotations

import numpy as np

__all__ = ["shrink"]


def shrink(images: np.ndarray, size: int) -> np.ndarray:
    """uint8 [N, C, H, H] -> uint8 [N, C, size, size], 1 <= size <= H <= 256."""
    count, channels, old, width = images.shape
    assert images.dtype == np.uint8
    assert 1 <= size <= old == width <= 256
    if size == old:
        return images
    start = np.arange(size)[:, None] * old  # in units of 1 / size of an old pixel
    pixel = np.arange(old)[None, :] * size
    overlap = np.minimum(start + old, pixel + size) - np.maximum(start, pixel)
    weights = np.maximum(overlap, 0).astype(np.float32)  # H·A [S, H]
    # 255 H² < 2^24: every partial sum is a whole number that float32 represents.
    across = (images.reshape(-1, old).astype(np.float32) @ weights.T).reshape(-1, old, size)
    sums = np.matmul(weights, across).astype(np.int32)
    area = old * old
    return ((2 * sums + area) // (2 * area)).astype(np.uint8).reshape(count, channels, size, size)

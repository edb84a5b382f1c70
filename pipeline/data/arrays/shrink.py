"""Scaling images down by averaging areas.

    out[i, j] = round( sum_hw  A[i, h] A[j, w] x[h, w] )       A[i, h] = (S/H) |[i H/S, (i+1) H/S) ∩ [h, h+1)|

H is the old size, S the new one. An output pixel is the mean over the square that it covers: if S divides H,
the exact mean of a block. H·A is a matrix of whole numbers, and float32 (up to H = 256, float64 above) holds
all sums exactly, so the result depends on no machine and no order of summation. Halves round up.
"""

from __future__ import annotations

import numpy as np

__all__ = ["LARGEST", "shrink"]

LARGEST = 16384
"""The largest side of an image that can be scaled down, in pixels."""


def shrink(images: np.ndarray, size: int) -> np.ndarray:
    """uint8 [N, C, H, H] -> uint8 [N, C, size, size], 1 <= size <= H <= 16384."""
    count, channels, old, width = images.shape
    assert images.dtype == np.uint8
    assert 1 <= size <= old == width <= LARGEST
    if size == old:
        return images
    start = np.arange(size)[:, None] * old  # in units of 1 / size of an old pixel
    pixel = np.arange(old)[None, :] * size
    overlap = np.minimum(start + old, pixel + size) - np.maximum(start, pixel)
    # 255 H² < 2^24 or 2^53: every partial sum is a whole number that the type represents.
    dtype, whole = (np.float32, np.int32) if old <= 256 else (np.float64, np.int64)
    weights = np.maximum(overlap, 0).astype(dtype)  # H·A [S, H]
    across = (images.reshape(-1, old).astype(dtype) @ weights.T).reshape(-1, old, size)
    sums = np.matmul(weights, across).astype(whole)
    area = old * old
    return ((2 * sums + area) // (2 * area)).astype(np.uint8).reshape(count, channels, size, size)

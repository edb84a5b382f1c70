"""Squared Euclidean distances between two sets of points, as blocks of a matrix product.

    |a − b|² = |a|² + |b|² − 2 a·b = [−2a, |a|², 1] · [b, 1, |b|²]        a [N, F], b [M, F]

One product gives the whole sum, at the price of digits: the error is about ε (|a|² + |b|²). So subtract a
common offset from both sets first, and allow for `rounding` if it matters whether two distances are equal.
Nearest neighbours are scikit-learn's, which computes distances in the same way and keeps only the k smallest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

__all__ = ["kth_nearest", "nearest", "rounding", "squared_distances"]

_VALUES = 2**22  # distances at a time: 32 MiB, whatever the number of points


def squared_distances(
    a: NDArray[np.float64], b: NDArray[np.float64]
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Points a [N, F] and b [M, F] -> blocks of rows of a, and their distances² ≥ 0 to all of b [rows, M]."""
    left = np.concatenate([-2 * a, np.square(a).sum(axis=1, keepdims=True), np.ones((len(a), 1))], axis=1)
    right = np.concatenate([b, np.ones((len(b), 1)), np.square(b).sum(axis=1, keepdims=True)], axis=1).T
    step = max(1, _VALUES // len(b))
    for start in range(0, len(a), step):
        rows = slice(start, min(start + step, len(a)))
        squared = left[rows] @ right
        yield rows, np.maximum(squared, 0, out=squared)


def kth_nearest(a: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Points [N, F] -> distance² of each to its k-th nearest among the others [N], k < N."""
    distances, _ = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(a).kneighbors()
    squared: NDArray[np.float64] = np.square(distances[:, -1])
    return squared


def nearest(a: NDArray[np.float64], b: NDArray[np.float64], k: int) -> NDArray[np.intp]:
    """Points a [N, F] and b [M, F] -> numbers of the k ≤ M nearest points of b, nearest first [N, k]."""
    search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(b)
    found: NDArray[np.intp] = search.kneighbors(a, return_distance=False)
    return found


def rounding(*points: NDArray[Any]) -> float:
    """The largest difference that rounding makes between two equal distances² among these points."""
    largest = max(float(np.square(array).sum(axis=1).max()) for array in points)
    return 16 * float(np.finfo(np.float64).eps) * largest

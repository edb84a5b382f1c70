"""Mutual information and entropy of discrete variables, and the discretisation of codes, by counting.

    H(v)    = −Σ_v p(v) ln p(v)
    I(b; v) =  Σ_{b,v} p(b, v) ln [ p(b, v) / (p(b) p(v)) ]        both in nats, p = the table's relative frequencies

A code is cut into `bins` equal-width bins between its smallest and its largest value, as in the protocol of
F. Locatello et al., "Challenging Common Assumptions in the Unsupervised Learning of Disentangled Representations",
2019, arXiv:1811.12359: `np.digitize(x, np.histogram(x, bins)[1][:-1])`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["binned", "contingency", "entropy", "mutual_information"]


def binned(codes: NDArray[Any], bins: int) -> NDArray[np.intp]:
    """Codes [N, L] -> bin numbers 0 ... bins − 1, [L, N] (a row per latent, since each is counted on its own).

    A constant code falls into one bin. So does one whose range is too narrow for `bins` distinct edges in its own
    precision (a collapsed latent that trembles in its last digit): that is rounding, not information.
    """
    numbers = np.zeros(codes.shape[::-1], dtype=np.intp)
    for number, column in zip(numbers, codes.T, strict=True):
        code = np.ascontiguousarray(column)
        edges = np.linspace(code.min(), code.max(), bins + 1, dtype=code.dtype)
        if np.all(edges[:-1] < edges[1:]):
            # side="right" puts a value that equals an edge into the bin above it, and the maximum into the last bin
            number[:] = np.searchsorted(edges[1:-1], code, side="right")
    return numbers


def contingency(a: NDArray[np.intp], b: NDArray[np.intp], sizes: tuple[int, int]) -> NDArray[np.intp]:
    """How often each pair of values occurs: two variables [N] with values below `sizes` -> counts [sizes]."""
    return np.bincount(a * sizes[1] + b, minlength=sizes[0] * sizes[1]).reshape(sizes)


def entropy(counts: NDArray[Any]) -> float:
    """Counts [V] -> entropy in nats."""
    p = counts[counts > 0] / counts.sum()
    return max(0.0, float(-(p * np.log(p)).sum()))


def mutual_information(counts: NDArray[Any]) -> float:
    """Counts [B, V] -> mutual information in nats, ≥ 0."""
    p = counts / counts.sum()
    expected = p.sum(axis=1, keepdims=True) * p.sum(axis=0, keepdims=True)
    seen = p > 0
    return max(0.0, float((p[seen] * np.log(p[seen] / expected[seen])).sum()))

"""Mutual information and entropy of discrete variables, and the discretisation of codes, by counting.

    H(v)    = −Σ_v p(v) ln p(v)
    I(b; v) =  Σ_{b,v} p(b, v) ln [ p(b, v) / (p(b) p(v)) ]        both in nats

p       relative frequencies in the table of counts
b       the bin of a code: `bins` equal-width bins between its smallest and its largest value

The bins are those of the protocol of F. Locatello et al., "Challenging Common Assumptions in the Unsupervised
Learning of Disentangled Representations", 2019, arXiv:1811.12359: `np.digitize(x, np.histogram(x,
bins)[1][:-1])`.

Counting overestimates: independent variables with B and V values in N rows seem to share about (B − 1)(V − 1)
/ 2N nats.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics import arrays

__all__ = [
    "Information",
    "between",
    "binned",
    "contingency",
    "edges",
    "entropies",
    "entropy",
    "leads",
    "mutual_information",
    "mutual_informations",
    "tables",
    "varying_factors",
]


@dataclass(frozen=True)
class Information:
    """Entropies and mutual information of L binned codes and those K' of K factors that vary, in nats."""

    mutual: NDArray[np.float64]
    """I(z_j; v_k) [L, K']."""
    codes: NDArray[np.float64]
    """H(z_j) [L]."""
    factors: NDArray[np.float64]
    """H(v_k) > 0 [K']."""
    kept: list[int]
    """The number k of each factor that varies, among all K."""

    @property
    def normalised(self) -> NDArray[np.float64]:
        """I(z_j; v_k) / H(v_k), the code's share of the information in the factor [L, K']."""
        return self.mutual / self.factors

    @property
    def joint(self) -> NDArray[np.float64]:
        """H(z_j, v_k) [L, K']."""
        return self.codes[:, None] + self.factors - self.mutual


def between(codes: ArrayLike, factors: ArrayLike, bins: int, *, least: int = 1) -> Information:
    """Codes [N, L] cut into `bins`, factors [N, K] -> their entropies and mutual information.

    Factors with one value are left out. Raises ValueError when fewer than `least` vary, on fewer than 2 rows
    or bins, on NaN or infinity.
    """
    z, v = arrays.codes_and_factors(codes, factors)
    bins = arrays.whole("bins", bins, 2, "the field uses 20")
    kept, values, sizes = varying_factors(v, least)

    b = binned(z, bins)
    mutual = np.stack([mutual_informations(table) for table in tables(b, bins, values, sizes)], axis=1)
    return Information(
        mutual=mutual,
        codes=entropies(np.stack([np.bincount(code, minlength=bins) for code in b])),
        factors=np.array([entropy(np.bincount(value)) for value in values]),
        kept=kept,
    )


def varying_factors(v: NDArray[Any], least: int = 1) -> tuple[list[int], list[NDArray[np.intp]], list[int]]:
    """Factors [N, K] -> of each that varies: its number, its value's rank in each row [N], its number of
    values.

    Raises ValueError when there are fewer than `least`.
    """
    indexed = [arrays.value_index(column) for column in v.T]
    kept = [k for k, (_, size) in enumerate(indexed) if size > 1]
    arrays.enough_vary("factors", len(kept), v.shape[1], least=least)
    return kept, [indexed[k][0] for k in kept], [indexed[k][1] for k in kept]


def edges(code: NDArray[Any], bins: int) -> NDArray[Any] | None:
    """The bins + 1 edges between the smallest and largest value of a code [N]; None if they are not distinct.

    They are not for a constant code, nor for one whose range is too narrow for distinct edges in its own
    precision (a collapsed latent that varies in its last digit): that is rounding, not information.
    """
    found = np.linspace(code.min(), code.max(), bins + 1, dtype=code.dtype)
    return found if np.all(found[:-1] < found[1:]) else None


def binned(codes: NDArray[Any], bins: int) -> NDArray[np.intp]:
    """Codes [N, L] -> bin numbers 0 ... bins − 1, [L, N]; a row per latent, since each is counted on its own.

    All values of a code without distinct edges are in bin 0.
    """
    numbers = np.zeros(codes.shape[::-1], dtype=np.intp)
    for number, column in zip(numbers, codes.T, strict=True):
        code = np.ascontiguousarray(column)
        limits = edges(code, bins)
        if limits is not None:
            # side="right": a value that equals an edge is in the bin above it, the maximum in the last bin
            number[:] = np.searchsorted(limits[1:-1], code, side="right")
    return numbers


def contingency(a: NDArray[np.intp], b: NDArray[np.intp], sizes: tuple[int, int]) -> NDArray[np.intp]:
    """How often each pair of values occurs: two variables [N] with values below `sizes` -> counts [sizes]."""
    return np.bincount(a * sizes[1] + b, minlength=sizes[0] * sizes[1]).reshape(sizes)


def tables(
    b: NDArray[np.intp], bins: int, values: list[NDArray[np.intp]], sizes: list[int]
) -> Iterator[NDArray[np.intp]]:
    """Bin numbers [L, N], several variables [N] with values below their sizes V -> counts [L, bins, V] of
    each.

    One count serves all codes at once: one call per code and variable would double the time.
    """
    apart = b + bins * np.arange(len(b))[:, None]
    for value, size in zip(values, sizes, strict=True):
        counts = np.bincount((apart * size + value).ravel(), minlength=len(b) * bins * size)
        yield counts.reshape(len(b), bins, size)


def entropies(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Counts [..., V], not all 0 -> entropies in nats, ≥ 0 [...]."""
    p = counts / counts.sum(axis=-1, keepdims=True)
    h: NDArray[np.float64] = -(p * np.log(np.where(p > 0, p, 1))).sum(axis=-1)
    return np.maximum(h, 0.0)


def entropy(counts: NDArray[Any]) -> float:
    """Counts [V] -> entropy in nats."""
    return float(entropies(counts))


def mutual_informations(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Counts [..., B, V], not all 0 -> mutual informations in nats [...]: ≥ 0, and exactly 0 if only rounding
    is left.
    """
    p = counts / counts.sum(axis=(-2, -1), keepdims=True)
    expected = p.sum(axis=-1, keepdims=True) * p.sum(axis=-2, keepdims=True)
    seen = p > 0
    ratio = np.divide(p, expected, out=np.ones_like(p), where=seen)
    found: NDArray[np.float64] = (p * np.log(ratio)).sum(axis=(-2, -1))
    # Below this is only rounding: one image in ten million, moved to another bin, changes more.
    return np.where(found < 1e-14, 0.0, found)


def mutual_information(counts: NDArray[Any]) -> float:
    """Counts [B, V] -> mutual information in nats, ≥ 0."""
    return float(mutual_informations(counts))


def leads(known: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """The largest minus the second largest of non-negative numbers along an axis; minus 0 if there is only
    one.
    """
    length = known.shape[axis]
    if length == 1:
        return known.max(axis=axis)
    ordered = np.partition(known, (length - 2, length - 1), axis=axis)
    second, first = ordered.take([-2, -1], axis=axis).swapaxes(0, axis)
    lead: NDArray[np.float64] = first - second
    return lead

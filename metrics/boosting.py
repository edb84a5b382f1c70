"""Gradient-boosted classification trees on codes: all trees of a stage are grown at the same time.

    F_k                   = ln p_k before the first stage        p_k: class frequencies
    r                     = y_k − softmax(F)_k, at every stage, for every class k        r, F [N, K]
    leaf value            = (K − 1)/K · Σ r / Σ p (1 − p),        F_k += learning_rate · leaf value
    importance of code j  = Σ of the falls of the squared error over all splits on j of all trees, sum 1

A tree of depth 3 is fitted to r: every node is split on the code and at the threshold with the largest fall
of the squared error of r. With two classes there is one tree per stage, for the second class, with
p = 1/(1+e^−F) and without the factor (K − 1)/K.

This is J. H. Friedman, "Greedy Function Approximation: A Gradient Boosting Machine", 2001, in the form of
scikit-learn's GradientBoostingClassifier at its defaults (100 stages, depth 3, learning rate 0.1), with a
faster search for the splits (`metrics.split_search`). Of codes that split equally well one is drawn at
random, as in scikit-learn. A threshold lies halfway to the next value of any training row; scikit-learn uses
the rows of the node alone. The difference shows only in rows that lie in gaps between the training rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from metrics.scratch import Scratch
from metrics.split_search import UNIT, Floats, Integers, Table, unpacked

__all__ = ["Boosted", "fit"]

_TREES = 32
"""Trees grown at a time: more need memory, fewer need more time."""
_REACH = 0.5
"""`reach` as a share of the largest residual; 1 takes 15 % longer, and halves the errors of the search."""
_NEGLIGIBLE = 1e-4
"""A share of the root's gain: splits with a smaller gain change no importance or prediction visibly."""
_GRID = 2.0**30
"""Steps per unit of scaled residuals: sums of a million rows are exact in a double, and the rounding of one
residual is 1e-9 of their sum."""


@dataclass(frozen=True)
class Boosted:
    """A fitted ensemble: S stages of T trees, each with 2^depth − 1 nodes, level by level, and 2^depth
    leaves.
    """

    table: Table
    start: Floats
    """F before the first stage [T]."""
    code: Integers
    """[S, nodes, T]"""
    rank: Integers
    """[S, nodes, T]; a row goes left when its rank on the code is at most this."""
    value: Floats
    """[S, leaves, T], learning rate included."""
    importances: Floats
    """[L], sums to 1; all 0 where no tree has a split."""
    fitted: Integers
    """The predicted class of each training row [N]."""

    def predict(self, x: NDArray[Any]) -> Integers:
        """Codes [N, L] -> class numbers [N]."""
        rank = self.table.ranks(x)
        F = np.tile(self.start, (len(x), 1))
        scratch = Scratch()
        for code, threshold, value in zip(self.code, self.rank, self.value, strict=True):
            leaf = np.zeros(F.shape, dtype=np.uint8)
            for level in range(len(value).bit_length() - 1):
                nodes = slice(2**level - 1, 2 ** (level + 1) - 1)
                right = _right(rank, code[nodes].ravel(), threshold[nodes].ravel(), scratch)
                leaf = _descend(leaf, right.reshape(len(x), -1, F.shape[1]), level)
            F += _of_leaf(value, leaf)
        return _class(F)


def fit(
    x: NDArray[Any],
    y: NDArray[Any],
    *,
    trees: int = 100,
    depth: int = 3,
    learning_rate: float = 0.1,
    seed: int = 0,
) -> Boosted:
    """Codes [N, L] and class numbers [N], without gaps from 0 to K − 1 -> the fitted ensemble of `trees`
    stages.

    seed: for the draws between codes that split equally well.
    """
    frequencies = np.bincount(y)
    assert (frequencies > 0).all(), "class numbers have no gaps"
    K = len(frequencies)
    table = Table(x)
    scratch = table.scratch
    rng = np.random.default_rng(seed)
    target = y[:, None] == (np.arange(K) if K > 2 else np.arange(1, K))
    T = target.shape[1]
    start = _log_odds(frequencies)
    stages, nodes, leaves = trees if T else 0, 2**depth - 1, 2**depth
    code, rank = np.zeros((2, stages, nodes, T), dtype=np.intp)
    value = np.zeros((stages, leaves, T))
    importances = np.zeros(table.codes)
    F = np.tile(start, (len(y), 1))
    for stage in range(stages):
        p = _probabilities(F, scratch)
        r = np.subtract(target, p, out=scratch("r", *F.shape))
        # By powers of two, so that Σ |r · scale| ≤ 1; the only rounding is that to the grid.
        packed = np.abs(r, out=scratch("packed", *F.shape))
        scale = np.exp2(-np.ceil(np.log2(np.maximum(packed.sum(axis=0), 1e-300))))
        np.multiply(r, scale * _GRID, out=packed)
        np.rint(packed, out=packed)
        packed /= _GRID
        packed += UNIT
        parts = [
            _grow(table, np.ascontiguousarray(packed[:, first : first + _TREES]), depth, rng)
            for first in range(0, T, _TREES)
        ]
        grown = _Grown(*(np.concatenate(fields, axis=1) for fields in zip(*parts, strict=True)))
        code[stage], rank[stage] = grown.code, grown.rank
        importances += np.bincount(
            grown.code.ravel(), weights=(grown.gain / scale**2).ravel(), minlength=table.codes
        )
        p -= np.multiply(p, p, out=r)
        curvature = _sums_of_leaves(p, grown.leaf, leaves)
        step = np.divide(
            grown.residual / scale, curvature, out=np.zeros_like(curvature), where=curvature > 1e-150
        )
        value[stage] = learning_rate * ((K - 1) / K if K > 2 else 1.0) * step
        F += _of_leaf(value[stage], grown.leaf)
    total = importances.sum()
    return Boosted(
        table, start, code, rank, value, importances / total if total > 0 else importances, _class(F)
    )


class _Grown(NamedTuple):
    """The T trees of one stage; code, rank, gain [nodes, T]."""

    code: Integers
    rank: Integers
    gain: Floats
    leaf: NDArray[np.uint8]
    """Which leaf each row is in [N, T]."""
    residual: Floats
    """Sum of scaled residuals per leaf [leaves, T]."""


def _grow(table: Table, packed: Floats, depth: int, rng: np.random.Generator) -> _Grown:
    """One tree per column of `packed` [N, T], level by level.

    The nodes of a level lie side by side as if they were trees: first the left children of all nodes above,
    then the right children. So bit l of a node's or leaf's number is its direction at level l.
    """
    T = packed.shape[1]
    scratch = table.scratch
    splits = []
    leaf = np.zeros(packed.shape, dtype=np.uint8)
    rows, histogram, total = packed, table.histogram(packed), packed.sum(axis=0)
    reach, negligible = _REACH * (packed.max(axis=0) - UNIT), np.zeros(T)
    for level in range(depth):
        split = table.best(
            rows, histogram, total, np.tile(reach, 2**level), np.tile(negligible, 2**level), rng
        )
        if level == 0:
            negligible = _NEGLIGIBLE * split.gain
        splits.append(split)
        right = _right(table.rank, split.code, split.rank, scratch)  # [N, nodes · T]
        leaf = _descend(leaf, right.reshape(len(rows), -1, T), level)
        total = np.concatenate([split.left, total - split.left])
        if level < depth - 1:
            width = rows.shape[1]
            below = scratch(f"rows {level}", len(rows), 2, width)
            np.multiply(rows, right, out=below[:, 1])
            np.subtract(rows, below[:, 1], out=below[:, 0])
            sums = scratch(f"histogram {level}", *histogram.shape[:2], 2, width)
            sums[:, :, 1] = table.histogram(below[:, 1])
            np.subtract(histogram, sums[:, :, 1], out=sums[:, :, 0])
            rows, histogram = below.reshape(len(rows), -1), sums.reshape(*histogram.shape[:2], -1)
    return _Grown(
        code=np.concatenate([split.code.reshape(-1, T) for split in splits]),
        rank=np.concatenate([split.rank.reshape(-1, T) for split in splits]),
        gain=np.concatenate([split.gain.reshape(-1, T) for split in splits]),
        leaf=leaf,
        residual=unpacked(total)[1].reshape(-1, T),
    )


def _right(rank: NDArray[Any], code: Integers, threshold: Integers, scratch: Scratch) -> NDArray[np.bool_]:
    """Ranks [N, L], code and threshold [T] of one node of each tree -> whether each row goes right there
    [N, T].
    """
    shape = (len(rank), len(code))
    of_code = np.take(rank, code, axis=1, out=scratch("of code", *shape, dtype=rank.dtype), mode="clip")
    right: NDArray[np.bool_] = scratch("right", *shape, dtype=np.bool_)
    return np.greater(of_code, threshold.astype(rank.dtype), out=right)


def _descend(at: NDArray[np.uint8], right: NDArray[np.bool_], level: int) -> NDArray[np.uint8]:
    """Node of each row at a level [N, T], direction of each row at every node [N, nodes, T] -> node a level
    below.
    """
    went = [right[:, node].view(np.uint8) for node in range(right.shape[1])]
    for bit in range(level):  # of each two nodes that differ in this bit, the row's own
        own = (at >> np.uint8(bit)) & np.uint8(1)
        went = [left ^ ((left ^ other) & own) for left, other in zip(went[::2], went[1::2], strict=True)]
    leaf: NDArray[np.uint8] = at | (went[0] << np.uint8(level))
    return leaf


def _of_leaf(value: Floats, leaf: NDArray[np.uint8]) -> Floats:
    """Values [leaves, T] and leaves [N, T] -> the value of each row's leaf [N, T]."""
    T = leaf.shape[1]
    return np.take(value.ravel(), leaf * np.intp(T) + np.arange(T))


def _sums_of_leaves(weights: Floats, leaf: NDArray[np.uint8], leaves: int) -> Floats:
    """Weights [N, T] -> their sums per leaf [leaves, T]."""
    T = leaf.shape[1]
    position = leaf * np.intp(T) + np.arange(T)
    sums = np.bincount(position.ravel(), weights=weights.ravel(), minlength=leaves * T)
    return np.asarray(sums, dtype=np.float64).reshape(leaves, T)


def _log_odds(frequencies: Integers) -> Floats:
    """Class counts [K] -> ln p_k; with two classes ln p_1/p_0 alone, with one nothing."""
    log = np.log(frequencies / frequencies.sum())
    return log if len(log) > 2 else log[1:] - log[:1]


def _probabilities(F: Floats, scratch: Scratch) -> Floats:
    """F [N, T] -> probability of each tree's class [N, T], to be overwritten by the next call."""
    p: Floats = scratch("p", *F.shape)
    if F.shape[1] == 1:
        np.negative(F, out=p)
        np.exp(p, out=p)
        p += 1
        return np.reciprocal(p, out=p)
    np.subtract(F, F.max(axis=1, keepdims=True), out=p)
    np.exp(p, out=p)
    p /= p.sum(axis=1, keepdims=True)
    return p


def _class(F: Floats) -> Integers:
    """F [N, T] -> class numbers [N]."""
    if F.shape[1] == 0:
        return np.zeros(len(F), dtype=np.intp)
    return (F[:, 0] > 0).astype(np.intp) if F.shape[1] == 1 else F.argmax(axis=1)

"""Do two sets of S learning curves differ by more than seeds do?

For curves a_s(t), b_s(t) of seeds s = 1..S (two paths of the same training), per term and recorded step t

    gap     Δ(t) = mean_s a_s(t) - mean_s b_s(t)
    seeds   σ(t) = standard deviation over s of b_s(t), the reference

and the size of the difference is max and root mean square over t of |Δ| in nats and of |Δ| / σ.

Verdict. Let T = max over terms and t of |Δ(t)| / σ_all(t), σ_all the standard deviation of all 2S curves. If it does not matter which path
a curve came from, any of the (2S choose S) ways to split the same 2S curves in two halves could as well have been the split by path. p is
the share of splits whose T is at least as large. The difference is within seed noise if p > 0.05. That is a permutation test: exact for any
distribution, for all terms and steps at once (no step is excused and none counted twice), blind to nothing but pairing. With S < 4 there are
too few splits for a p below 0.05, and no verdict is given.

The two paths of a seed see the same batches and noise, so Δ is far smaller than between independent runs as long as training has not
amplified rounding: |Δ| / σ tells that; the verdict only asks whether seeds could explain it.

The first 5 % of the steps are left out: all seeds begin at nearly the same loss, so that σ says nothing there yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np

__all__ = ["LEVEL", "SKIPPED", "compare"]

SKIPPED = 0.05
LEVEL = 0.05
SEEDS_FOR_A_VERDICT = 4


def compare(
    steps: np.ndarray, fast: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Sizes per term, T, p and the verdict, from curves [S, number of recorded steps] by term; ``steps`` is theirs.

    ``outside`` counts the (term, step) at which the fast paths' mean leaves the reference's mean ± 2 σ / √S.
    """
    kept = steps > SKIPPED * steps[-1]
    terms: dict[str, Any] = {}
    stacked = []
    for name in fast:
        a, b = fast[name][:, kept], reference[name][:, kept]
        gap = np.abs(a.mean(0) - b.mean(0))
        sigma = _spread(b)
        relative = gap / sigma
        terms[name] = {
            "max_nats": float(gap.max()),
            "rms_nats": float(np.sqrt(np.mean(gap**2))),
            "max_sigma": float(relative.max()),
            "rms_sigma": float(np.sqrt(np.mean(relative**2))),
            "outside": int((gap > 2 * sigma / np.sqrt(len(b))).sum()),
            "points": len(gap),
        }
        both = np.concatenate([a, b])
        stacked.append((both - both.mean(0)) / _spread(both))
    p, largest = _permutation(np.concatenate(stacked, axis=1))
    enough = len(next(iter(reference.values()))) >= SEEDS_FOR_A_VERDICT
    return {"terms": terms, "T": largest, "p": p, "within_seed_noise": bool(p > LEVEL) if enough else None}


def _permutation(curves: np.ndarray) -> tuple[float, float]:
    """p and T of the split of curves [2S, points] into first and second half."""
    S = len(curves) // 2
    total = curves.sum(0)

    def largest(half: tuple[int, ...]) -> float:
        one = curves[list(half)].sum(0)
        return float(np.abs(2 * one - total).max() / S)

    observed = largest(tuple(range(S)))
    # a split and its mirror image are the same: the first curve is always in the first half
    splits = [largest((0, *others)) for others in combinations(range(1, 2 * S), S - 1)]
    smallest = observed * (1 - 1e-12)  # sums in another order
    return float(np.mean([smallest <= T for T in splits])), observed


def _spread(curves: np.ndarray) -> np.ndarray:
    """Standard deviation over the curves; where all are the same, that of rounding, not zero."""
    if len(curves) < 2:
        return np.full(curves.shape[1], np.nan)
    return np.maximum(curves.std(0, ddof=1), 1e-9)

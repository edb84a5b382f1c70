"""Do two sets of S learning curves differ by more than seeds do?

For curves a_s(t), b_s(t) of seeds s = 1..S (two paths of the same training), per term and recorded step t:

    gap     Δ(t) = mean_s a_s(t) - mean_s b_s(t)
    seeds   σ(t) = standard deviation over s of b_s(t), the reference

The size of the difference is the maximum and the root mean square over t of |Δ| in nats and of |Δ| / σ.

Verdict. Let T = max over terms and t of |Δ(t)| / σ_all(t), where σ_all is the standard deviation of all 2S
curves. If the path of a curve makes no difference, the split by path is as likely as any of the (2S choose S)
splits of the 2S curves into two halves. p is the share of splits whose T is at least as large. The difference
is within seed noise if p > 0.05. This is a permutation test: it is exact for any distribution, and it covers
all terms and steps at once. It ignores only the pairing of curves by seed. With S < 4 there are too few
splits for a p below 0.05, so there is no verdict.

The two paths of a seed see the same batches and noise. So Δ is far smaller than between independent runs,
until training has amplified the rounding. |Δ| / σ shows this; the verdict only says whether seeds could
explain Δ.

The first 5 % of the steps are left out: all seeds begin at nearly the same loss, so σ is not meaningful
there.
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
    """Sizes per term, T, p and the verdict, from curves [S, recorded steps] by term; ``steps`` are the
    recorded steps.

    ``outside`` is the number of steps at which the fast path's mean is outside the reference's mean ± 2 σ /
    √S.
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
    # a split and its mirror image are the same, so the first curve is always in the first half
    splits = [largest((0, *others)) for others in combinations(range(1, 2 * S), S - 1)]
    smallest = observed * (1 - 1e-12)  # sums in another order are rounded differently
    return float(np.mean([smallest <= T for T in splits])), observed


def _spread(curves: np.ndarray) -> np.ndarray:
    """Standard deviation over the curves; if all are equal, a value of the size of rounding, not zero."""
    if len(curves) < 2:
        return np.full(curves.shape[1], np.nan)
    return np.maximum(curves.std(0, ddof=1), 1e-9)

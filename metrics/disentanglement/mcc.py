"""Mean correlation coefficient: are the codes the factors, up to their order, sign and scale?

    MCC = 1/K max over one-to-one assignments a of  Σ_k | corr( z_a(k), v_k ) |

z       codes [N, L];  v: factors [N, K], their values used as numbers
a(k)    the code of factor k, no code twice; with fewer codes than factors, factors without a code count as 0
corr    Pearson's (the main value), or Spearman's: Pearson's of the ranks, with mean ranks for ties. That one
        also forgives a monotonic distortion of each code. Each has the assignment that is best for it

A pure number between 0 and 1; higher is better. Constant codes and factors correlate with nothing; factors
with one value are left out of K. Chance is not 0 with few rows: the best of L correlations of noise is about
√(2 ln L / N). `mcc` is by Pearson, `mcc_spearman` by Spearman, `mcc_<k>` Pearson's correlation of factor k.

A. Hyvärinen, H. Morioka, "Unsupervised Feature Extraction by Time-Contrastive Learning and Nonlinear ICA",
2016, arXiv:1605.06336. I. Khemakhem, D. P. Kingma, R. P. Monti, A. Hyvärinen, "Variational Autoencoders and
Nonlinear ICA: A Unifying Framework", 2020, arXiv:1907.04809.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from metrics import arrays
from metrics.standardised import standardised

__all__ = ["mcc"]

TITLE = "Mean correlation coefficient"
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
NUMBERS = True
BLIND_TO = (
    "What else the codes carry, and further codes that carry the same factor. The numbers of an unordered "
    "factor (a shape's index) mean nothing, and a code of it can score low however good it is."
)
COST = "O(N·L·K), and O(N·log N·(L + K)) for the ranks."


def mcc(codes: ArrayLike, factors: ArrayLike) -> dict[str, float]:
    """Codes [N, L], factors [N, K], real or integer -> {"mcc", "mcc_spearman", "mcc_<k>" by Pearson}.

    Raises ValueError when no factor varies, on fewer than 2 rows, on NaN or infinity.
    """
    z, v = arrays.codes_and_factors(codes, factors, numbers=True)
    numbers = np.flatnonzero(np.ptp(v, axis=0) > 0)
    arrays.enough_vary("factors", len(numbers), v.shape[1])
    v = v[:, numbers]
    x = standardised(z)
    # Ranks of the standardised codes: a code that varies by rounding only is constant, with equal ranks.
    ranks = standardised(rankdata(x, axis=0))
    pearson = _matched(x, standardised(v))
    spearman = _matched(ranks, standardised(rankdata(v, axis=0)))
    each = {f"mcc_{k}": float(value) for k, value in zip(numbers, pearson, strict=True)}
    return {"mcc": float(pearson.mean()), "mcc_spearman": float(spearman.mean())} | each


def _matched(x: NDArray[np.float64], v: NDArray[Any]) -> NDArray[np.float64]:
    """Standardised x [N, L] and v [N, K] -> |correlation| of each column of v with its column of x [K]."""
    strength = np.minimum(np.abs(x.T @ v) / len(x), 1.0)
    found = np.zeros(v.shape[1])
    j, k = linear_sum_assignment(strength, maximize=True)
    found[k] = strength[j, k]
    return found

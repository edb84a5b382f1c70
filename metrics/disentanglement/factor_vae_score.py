"""FactorVAE score: does one code stand still when one factor is held fixed, and does it identify the factor?

    d*    = argmin_j  Var_m[ z_j(a_m) ] / Var[ z_j ],     v_k(a_m) the same for every m
    score = share of fresh votes (d*, k) with k = C(d*)

k        the factor held fixed, uniform among the factors that vary; factors v [N, K]
a        M = 64 rows that share one value of factor k: that of a row drawn uniformly
z        codes [N, L]; Var: unbiased variance, over the batch and over (at most 10,000) rows of the table
C(d)     the factor k of most training votes (d, k)

A pure number between chance (1 / number of varying factors) and 1; higher is better. C is learnt from 10,000
votes, and the score is that of 5,000 fresh ones. Codes whose standard deviation is under 0.05 are dropped as
collapsed to the prior, so the score depends on the scale of the codes near that threshold. If every code is
dropped, the score is 0, below chance: this is the convention of the established implementation.

On a full grid of factors, batches are distributed as in the paper; for other tables see
`metrics.interventions`. A row whose value of factor k no other row has is not drawn: its batch would be one
image, and every variance 0.

With noisy codes, a table of few rows per value gives a slightly lower score, since no batch averages out the
deviations of the table itself. Codes of signal to noise 1 : 1.5 under 40-valued factors score 0.62, 0.68,
0.70 and 0.70 on 3,000, 10,000, 30,000 and all rows.

H. Kim, A. Mnih, "Disentangling by Factorising", 2018, arXiv:1802.05983. Protocol: F. Locatello et al.,
"Challenging Common Assumptions in the Unsupervised Learning of Disentangled Representations", 2019,
arXiv:1811.12359.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics import arrays, interventions
from metrics.standardised import varying

__all__ = ["factor_vae_score"]

TITLE = "FactorVAE score"
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
BLIND_TO = (
    "How many codes a factor is spread over, and what else the winning code carries: it only has to be the "
    "one that stands still most. Rotated codes can score 1, as long as each factor has one that it stills "
    "more than the other factors do."
)
COST = "O(points · batch · L) for the draws, whatever N is."


def factor_vae_score(
    codes: ArrayLike,
    factors: ArrayLike,
    rng: np.random.Generator,
    *,
    batch: int = 64,
    train_points: int = 10_000,
    evaluation_points: int = 5_000,
    variance_rows: int = 10_000,
    threshold: float = 0.05,
) -> dict[str, float]:
    """Codes [N, L], factors [N, K] -> accuracies {"factor_vae_score": fresh votes, "factor_vae_score_train"}.

    batch: rows that share a value. variance_rows: rows for the variances Var[z], drawn if the table has more.
    threshold: standard deviation below which a code is dropped; 0 drops constant codes only. If two codes tie
    (both stand still entirely), the vote goes to the first. Factors with one value are never held fixed.
    Raises ValueError when fewer than two factors vary, when a varying factor never has the same value twice,
    on settings out of range and on NaN or infinity.
    """
    z, v = arrays.codes_and_factors(codes, factors)
    rng = arrays.generator(rng)
    field = "the study uses 64, 10,000, 5,000 and 10,000"
    batch = arrays.whole("batch", batch, 2, field)
    train_points = arrays.whole("train_points", train_points, 1, field)
    evaluation_points = arrays.whole("evaluation_points", evaluation_points, 1, field)
    variance_rows = arrays.whole("variance_rows", variance_rows, 2, field)
    threshold = arrays.nonnegative("threshold", threshold, "a standard deviation", "the study uses 0.05")

    groups = list(interventions.varying(v, 2).values())
    some = z if len(z) <= variance_rows else z[rng.choice(len(z), variance_rows, replace=False)]
    spread = some.std(axis=0, ddof=1, dtype=np.float64)
    active = (spread >= threshold) & varying(some)
    if not active.any():
        return {"factor_vae_score": 0.0, "factor_vae_score_train": 0.0}
    # In units of their own spread the variances need no division.
    x = z[:, active] / spread[active]
    train = _votes(x, groups, rng, train_points, batch)
    fresh = _votes(x, groups, rng, evaluation_points, batch)
    answer = train.argmax(axis=0), np.arange(train.shape[1])
    return {
        "factor_vae_score": float(fresh[answer].sum() / fresh.sum()),
        "factor_vae_score_train": float(train[answer].sum() / train.sum()),
    }


def _votes(
    x: NDArray[np.float64],
    groups: list[interventions.Rows],
    rng: np.random.Generator,
    points: int,
    batch: int,
) -> NDArray[np.intp]:
    """How often each code varied least in a batch that shares each factor [K, L]."""
    K, L = len(groups), x.shape[1]
    fixed = rng.integers(K, size=points)
    votes = np.zeros((K, L), dtype=np.intp)
    for k, group in enumerate(groups):
        shared = group.order if group.count.min() > 1 else np.flatnonzero(group.count[group.value] > 1)
        for chunk in interventions.chunks(np.flatnonzero(fixed == k), batch * L):
            drawn = shared[rng.integers(len(shared), size=len(chunk))]
            rows = group.partners(np.broadcast_to(drawn, (batch, len(chunk))), rng)
            # [batch, points, L], from the first row of each batch: a code that stands still has variance 0
            gap = np.take(x, rows, axis=0)
            gap -= gap[0].copy()
            total = gap.sum(axis=0)
            squares = np.einsum("bpl,bpl->pl", gap, gap)
            votes[k] += np.bincount((squares - total * total / batch).argmin(axis=1), minlength=L)
    return votes

"""Interventional robustness score: does each code respond to one factor only, whatever happens to the others?

    IRS   = Σ_l w_l IRS_l / Σ_l w_l,          w_l = max_n | z_l(n) − E[z_l] |
    IRS_l = max_k  1 − 1/|V_k| Σ_{v ∈ V_k}  Q_0.99( | z_l − E[z_l | v_k = v] |  given v_k = v ) / w_l

z, v     codes [N, L], factors [N, K]; V_k the values that factor k takes, each by itself or in bins
         (`factor_bins`)
Q_0.99   the 99th percentile (the maximum in the paper), linear between order statistics

A pure number between 0 and 1; higher is better. The inner sum is how far interventions on the other factors
can move the code away from its mean at a value of factor k. Independent noise scores well above 0: the 99th
percentile of a Gaussian is 2.6 standard deviations, the maximum of 10,000 numbers 3.9, so its score is about
0.35. Codes that carry little have little weight, so the score depends on the codes' scales. Constant codes
are dropped; if all codes are constant, the score is 0, as in the established implementation. Unlike there, a
factor with one value is left out: no code can respond to it.

With few rows per value the conditional means fit those rows, and the score rises. With one row per value it
would be 1, so this raises an error.

`factor_bins` decides which rows share a value of a factor. None, the default, is the definition: each value
by itself. disentanglement_lib, the established implementation, first cuts the values of every factor into 20
bins of equal width, as it cuts codes for MIG. `factor_bins=20` does the same and gives its scores. If the
values of every factor span less than 20, each value has a bin of its own and both scores are equal. Otherwise
values share a bin, and what a code says about values within a bin counts against it: dSprites has 40
orientations, two to a bin, and 32 positions along each axis, one or two to a bin. A bin also has more rows
than a value. Measured on 10,000 rows of dSprites' factors (3, 6, 40, 32 and 32 values):

    codes                                           each value   20 bins
    equal to the factors                              1           0.979
    independent of them, Gaussian                     0.376       0.372
    means of a trained VAE                            0.430       0.423
    means of a trained β-VAE, β = 4                   0.472       0.465
    means of a trained annealed VAE, C = 25           0.763       0.753
    means of a trained FactorVAE, γ = 6.4             0.429       0.426
    means of a trained β-TCVAE, β = 6.4               0.580       0.563

On 100,000 rows the five nets differ by 0.001 to 0.016. The default is each value by itself, because the score
then depends only on which rows share a value. Bins make values numbers, whose order and distances count.
Choose 20 to compare with scores of disentanglement_lib, as the studies in `studies/` do. (Its sample settings
have 20 for this score. Those of the 12,600-model study have no value for this score, and 20 for the other
scores that cut into bins.)

R. Suter, Đ. Miladinović, B. Schölkopf, S. Bauer, "Robustly Disentangled Causal Mechanisms: Validating Deep
Representations for Interventional Robustness", 2019, arXiv:1811.00007. This is the version of the established
implementation: factors are taken as independent, so that conditioning on one is intervening on it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics import arrays, interventions
from metrics.information import binned
from metrics.standardised import varying

__all__ = ["irs"]

TITLE = "Interventional robustness score"
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
BLIND_TO = (
    "Factors that no code carries, and codes that carry the same one: it looks for the factor that each code "
    "responds to, not for a code of every factor."
)
COST = (
    "O(K·L·N): one partition of every code per factor; O(K·L·N·log N) where a factor has over a hundred "
    "values."
)

_PLACES = 200  # order statistics: beyond, a partition costs more than a sort


def irs(
    codes: ArrayLike, factors: ArrayLike, *, quantile: float = 0.99, factor_bins: int | None = None
) -> dict[str, float]:
    """Codes [N, L], factors [N, K] -> {"irs", "irs_<j>" for every code j that varies}.

    quantile: of the deviations within one value of a factor; 1 is the paper's maximum. factor_bins: the
    number of bins of equal width that the values of every factor are cut into, which makes them numbers; 20
    is disentanglement_lib's protocol, None keeps every value by itself. Raises ValueError when no factor
    varies, when a varying factor never has the same value (or bin) twice, on a quantile outside [0, 1], on
    fewer than 2 bins, on NaN or infinity.
    """
    z, v = arrays.codes_and_factors(codes, factors)
    if not 0 <= quantile <= 1:
        raise ValueError(
            f"quantile: expected a number in [0, 1], got {quantile!r}; the field uses 0.99, the paper 1"
        )

    if factor_bins is not None:
        factor_bins = arrays.whole(
            "factor_bins", factor_bins, 2, "disentanglement_lib uses 20, None keeps every value by itself"
        )
        v = binned(v.astype(np.float64), factor_bins).T
    groups = interventions.varying(v, 1).values()
    active = np.flatnonzero(varying(z))
    if not len(active):
        return {"irs": 0.0}
    x = np.ascontiguousarray(z[:, active].T, dtype=np.float64)  # [L, N]: a code's values side by side
    x -= x.mean(axis=1, keepdims=True)
    weight = np.abs(x).max(axis=1)
    x /= weight[:, None]  # in [−1, 1]
    robust = np.max([1 - _deviation(x, group, quantile).mean(axis=1) for group in groups], axis=0)
    # A code's own largest deviation, seen from a conditional mean, can exceed the one seen from the mean.
    score = np.clip(np.average(robust, weights=weight), 0, 1)
    return {"irs": float(score)} | {f"irs_{j}": float(r) for j, r in zip(active, robust, strict=True)}


def _deviation(x: NDArray[np.float64], group: interventions.Rows, quantile: float) -> NDArray[np.float64]:
    """Codes [L, N] in [−1, 1] -> quantile of the distance to the mean of the rows with each value [L, V]."""
    distance = np.take(x, group.order, axis=1)
    mean = np.add.reduceat(distance, group.start, axis=1) / group.count
    distance -= np.repeat(mean, group.count, axis=1)
    np.abs(distance, out=distance)
    # Shifts of four per value keep the values apart (distances are at most 2), so that one pass orders all.
    shift = 4.0 * np.arange(group.values)
    distance += np.repeat(shift, group.count)
    place = quantile * (group.count - 1)
    low = group.start + place.astype(np.intp)
    high = np.minimum(low + 1, group.start + group.count - 1)
    wanted = np.union1d(low, high)
    if len(wanted) <= _PLACES:
        distance.partition(wanted, axis=1)
    else:
        distance.sort(axis=1)
    below, above = distance[:, low] - shift, distance[:, high] - shift
    between: NDArray[np.float64] = below + (place % 1) * (above - below)
    return between

"""EDI, exclusivity disentanglement index: how exclusively codes and factors belong to each other.

    modularity   = 1/K Σ_k min( 1, Σ_{j: k*(j) = k} x_k(R_jk) )        k*(j) = argmax_k R_jk
    compactness  = 1/K Σ_k x_j(R_jk)
    explicitness = 1/K Σ_k I(z; v_k) / H(v_k)
    R_jk         = I(z_j; v_k) / I(z; v_k)
    x_i(r_i)     = max_i r_i − sqrt( Σ_{i ≠ argmax} r_i² / (n − 1) )

z, z_j, v_k   all codes [N, L] at once, one of them, one of the factors [N, K]; those that vary
x_i           exclusivity of n numbers r_i; of a single number, the number itself
I, H          mutual information and entropy in nats, on rows that nothing was fitted to (below)

Three pure numbers between 0 and 1; higher is better. Modularity: each code knows one factor. Codes that know
the same factor add up, to 1 at most. Compactness: each factor is known by one code. Explicitness: the codes
together know the whole factor.

Information is estimated from below. With q fitted to training rows, and the mean over test rows,

    I(c; v) ≥ mean ln [ q(v | c) / q(v) ]

    I(z_j; v_k)   q(v | bin of z_j) by counting, 20 equal-width bins, one pseudo-count in each spread as q(v)
    I(z; v_k)     q is the multinomial logistic regression on standardised codes (`metrics.logistic`,
                  λ = 0.01), or the q of the best single code if that says more; H(v_k) = −mean ln q(v_k)

An estimate below three standard errors of its mean counts as 0. So R_jk ≤ 1, and a code that knows nothing
has R_jk = 0. Without this rule R would be the ratio of two chance values for a factor that no code knows.
Such a factor counts as 0 in all three scores. So does a factor that is known so faintly that the test rows
cannot show it: scores on few rows are lower.

The formulas are those of the authors' code, github.com/julka01/InnVariant (metrics/edi.py). It estimates I(z;
v_k) from below too, with a neural network (MINE), and I(z_j; v_k) by nearest neighbours (KSG), and it clips
values beyond 1. The paper's own text was not available for comparison. Explicitness sees what a linear probe
of all codes sees, or any probe of one code.

S. Julka, Y. Wang, M. Granitzer, "Towards an Improved Metric for Evaluating Disentangled Representations",
2024, arXiv:2410.03056.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics import arrays, information, logistic, splits
from metrics.standardised import standardised

__all__ = ["edi"]

TITLE = "Exclusivity disentanglement index"
MAIN = "edi_modularity"
PARTS = ("edi_compactness", "edi_explicitness")
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
BLIND_TO = (
    "How much is known of a factor: modularity and compactness see each code's share of what all codes know. "
    "A factor that several codes hold together, nonlinearly, counts as less known than it is."
)
COST = (
    "O(N·L·K) for the tables, and one multinomial logistic regression per factor, which takes nearly all the "
    "time."
)

# Standard errors that information must exceed to be more than chance.
_ERRORS = 3.0
# Penalty of the regression: just enough to keep the weights finite if values can be separated.
_PENALTY = 0.01
# The share of q(v) in the regression's answer: no single image can cost more than ln(1 / _DOUBT).
_DOUBT = 1e-3


def edi(
    codes: ArrayLike,
    factors: ArrayLike,
    rng: np.random.Generator,
    *,
    test: ArrayLike | None = None,
    bins: int = 20,
    train_rows: int = splits.TRAIN_ROWS,
    test_rows: int = splits.TEST_ROWS,
) -> dict[str, float]:
    """Codes [N, L], factors [N, K] -> {"edi_modularity", "edi_compactness", "edi_explicitness"}.

    test: bool [N], the rows held out from training; None draws them. Constant codes know nothing. A factor
    with one value is left out. Raises ValueError when no factor varies, on fewer than 2 rows or bins, on NaN
    or infinity.
    """
    z, v = arrays.codes_and_factors(codes, factors)
    bins = arrays.whole("bins", bins, 2, "the field uses 20")
    rng = arrays.generator(rng)
    train, fresh = splits.split(len(z), rng, test, train_rows=train_rows, test_rows=test_rows)
    _, values, sizes = information.varying_factors(v)

    # Entropies of the test rows, and the information of each code alone and of all together, each [K] or [L,
    # K].
    b, standard = information.binned(z, bins), standardised(z, train)
    chances = [_log_chances(value[train], size) for value, size in zip(values, sizes, strict=True)]
    entropy = np.array([-log_q[value[fresh]].mean() for log_q, value in zip(chances, values, strict=True)])
    counted = zip(
        information.tables(b[:, train], bins, [value[train] for value in values], sizes),
        information.tables(b[:, fresh], bins, [value[fresh] for value in values], sizes),
        chances,
        strict=True,
    )
    alone = np.stack([_alone(fitted, tried, log_q) for fitted, tried, log_q in counted], axis=1)
    probed = [
        _together(standard[train], value[train], standard[fresh], value[fresh], log_q)
        for value, log_q in zip(values, chances, strict=True)
    ]
    together = np.maximum(alone.max(axis=0), probed)

    share = np.divide(alone, together, out=np.zeros_like(alone), where=together > 0)  # R
    owned = np.zeros(len(values))
    np.add.at(owned, share.argmax(axis=1), _exclusivity(share, axis=1))
    return {
        "edi_modularity": float(np.minimum(owned, 1).mean()),
        "edi_compactness": float(_exclusivity(share, axis=0).mean()),
        "edi_explicitness": float((together / entropy).mean()),
    }


def _exclusivity(r: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Numbers in [0, 1] -> the largest minus the root mean square of the others, along an axis."""
    largest = r.max(axis=axis)
    rest = np.maximum((r**2).sum(axis=axis) - largest**2, 0)
    exclusive: NDArray[np.float64] = largest - np.sqrt(rest / max(1, r.shape[axis] - 1))
    return np.maximum(exclusive, 0.0)


def _log_chances(value: NDArray[np.intp], size: int) -> NDArray[np.float64]:
    """ln q(v) [V] by counting; each value gets one pseudo-count, since training rows may lack a value."""
    return np.log((np.bincount(value, minlength=size) + 1) / (len(value) + size))


def _alone(
    train: NDArray[np.intp], fresh: NDArray[np.intp], log_q: NDArray[np.float64]
) -> NDArray[np.float64]:
    """I(z_j; v) of each code [L], from counts of training and of test rows [L, bins, V]."""
    log_fitted = np.log((train + np.exp(log_q)) / (train.sum(axis=-1, keepdims=True) + 1))
    gain, share = log_fitted - log_q, fresh / fresh[0].sum()
    shared: NDArray[np.float64] = (share * gain).sum(axis=(1, 2))
    variance = (share * (gain - shared[:, None, None]) ** 2).sum(axis=(1, 2))
    return np.where(shared > _ERRORS * np.sqrt(variance / fresh[0].sum()), shared, 0.0)


def _together(
    x: NDArray[Any],
    value: NDArray[np.intp],
    fresh_x: NDArray[Any],
    fresh: NDArray[np.intp],
    log_q: NDArray[np.float64],
) -> float:
    """I(z; v) over test codes and values, by logistic regression on training codes [N, L], values [N]."""
    present, index = np.unique(value, return_inverse=True)
    if not x.any() or len(present) == 1 or len(present) > len(value) / 2:
        return 0.0  # constant codes, one value, or hardly a value that occurs twice
    weights = logistic.fit(x, index, len(present), penalty=_PENALTY)
    q = _DOUBT * np.exp(log_q)[fresh]
    seen = np.flatnonzero(np.isin(fresh, present))
    predicted = logistic.probabilities(fresh_x[seen], weights)
    q[seen] += (1 - _DOUBT) * predicted[np.searchsorted(present, fresh[seen]), np.arange(len(seen))]
    gain = np.log(q) - log_q[fresh]
    return float(gain.mean()) if gain.mean() > _ERRORS * gain.std() / len(gain) ** 0.5 else 0.0

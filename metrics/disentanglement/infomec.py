"""InfoMEC: modularity, compactness and explicitness in terms of information.

    U_jk  = I(z_j; v_k) / H(v_k)
    InfoM = ( mean over j of  max_k U_jk / Σ_k U_jk  −  1/K  ) / ( 1 − 1/K )
    InfoC = ( mean over k of  max_j U_jk / Σ_j U_jk  −  1/L' ) / ( 1 − 1/L' )
    InfoE = mean over k of  ( H_0k − H_k ) / H_0k

z      codes [N, L]; M and C use only the L' active ones, whose range exceeds a twentieth of the largest range
v      factors [N, K]
I      in nats, from the distances to the 10 nearest neighbours (`metrics.neighbour_information` describes the
       estimator and its bias)
H      entropy in nats, by counting
H_k    mean −ln p(v_k | z) of a logistic regression (`metrics.logistic`) on all L standardised codes, without
       penalty, its classes weighted to the same total
H_0k   the same of a regression without codes; both on the rows that they are fitted on

M: one factor per code. C: one code per factor. E: how much can be read linearly from all codes. Pure numbers
between 0 and 1; higher is better. All follow the authors' code, for continuous codes.

An explicitness on its own training rows is too high if there are few, by about L·C/(2N) nats for C values:
use 10,000. The estimates for codes that carry nothing scatter around no information, and the largest share of
such scatter is well above 1/K. So noise has a modularity: read it beside the explicitness. If nothing at all
is known (constant codes), everything is 0. With one factor, or one active code, nothing can be shared: M, or
C, is 1 for what is known.

K. Hsu, W. Dorrell, J. C. R. Whittington, J. Wu, C. Finn, "Disentanglement via Latent Quantization", 2023,
arXiv:2305.18378; code: github.com/kylehkhsu/latent_quantization, disentangle/metrics/infomec.py.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics import arrays, classes, information, logistic, neighbour_information
from metrics.standardised import standardised, varying

__all__ = ["infomec"]

TITLE = "InfoMEC: modularity, compactness, explicitness"
MAIN = "infomec_modularity"
PARTS = ("infomec_compactness", "infomec_explicitness")
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
BLIND_TO = (
    "Modularity does not see how much a code knows, only how it is divided among factors: a code "
    "with a trace of one factor counts as fully modular. Codes of small range beside another are ignored."
)
COST = "O(N·log N·L·K) for the neighbours, and one logistic regression per factor."

NEIGHBOURS = 10
LEAST_RANGE = 1 / 20


def infomec(codes: ArrayLike, factors: ArrayLike, *, neighbours: int = NEIGHBOURS) -> dict[str, float]:
    """Codes [N, L], factors [N, K] -> {"infomec_modularity", "infomec_compactness", "infomec_explicitness"}.

    Factors with one value are left out. Raises ValueError when no factor varies, when most values occur once,
    on NaN or infinity.
    """
    z, v = arrays.codes_and_factors(codes, factors)
    neighbours = arrays.whole("neighbours", neighbours, 1, f"the authors use {NEIGHBOURS}")
    learnt = classes.varying("factors", v)
    x = standardised(z)
    ranges = z.max(axis=0).astype(np.float64) - z.min(axis=0)
    active = varying(z) & (ranges > LEAST_RANGE * ranges.max())

    entropy = np.array([information.entropy(np.bincount(factor.y)) for factor in learnt])
    labels = [factor.y for factor in learnt]
    shared = [neighbour_information.mutual_information(code, labels, neighbours) for code in x.T[active]]
    known = np.array(shared).reshape(-1, len(learnt)) / entropy
    return {
        "infomec_modularity": _concentration(known),
        "infomec_compactness": _concentration(known.T),
        "infomec_explicitness": float(np.mean([_explicit(x, factor) for factor in learnt])),
    }


def _concentration(known: NDArray[np.float64]) -> float:
    """Shares [A, B] -> how far, averaged over A, the largest is above an equal share, between 0 and 1."""
    if not known.size:
        return 0.0
    total, size = known.sum(axis=1), known.shape[1]
    if size == 1:
        return float(np.mean(total > 0))
    share = np.where(total > 0, known.max(axis=1) / np.where(total > 0, total, 1), 1 / size)
    return float((share.mean() - 1 / size) / (1 - 1 / size))


def _explicit(x: NDArray[np.float64], factor: classes.Classes) -> float:
    """The share of the entropy that the regression explains; 0 if its loss is above the entropy."""
    weights = logistic.fit(x, factor.y, factor.size, penalty=0, balanced=True)
    loss = logistic.log_loss(logistic.probabilities(x, weights), factor.y)
    blind = np.log(factor.size)  # without codes, all values are equally probable where classes are balanced
    return float(np.clip(1 - loss / blind, 0, 1))

"""JEMMIG: joint entropy minus mutual information gap of each factor and its best code, normalised.

    raw_k    = H(z_(1), v_k) − I(z_(1); v_k) + I(z_(2); v_k)        nats, 0 ≤ raw_k ≤ H(v_k) + ln bins
    JEMMIG_k = 1 − raw_k / ( H(v_k) + ln bins )
    JEMMIG   = mean over k of JEMMIG_k

z_(1), z_(2)   the two codes, of codes [N, L], that share most information with factor v_k, of factors [N, K];
               with L = 1 the runner-up counts as knowing nothing; among codes that tie for the first place,
               z_(1) is the one with the least entropy
H, I           (joint) entropy and mutual information in nats, by counting; each code is cut into `bins`
               equal-width bins

The gap of `mig` is large if z_(1) says all of v_k and no other code does. The joint entropy also requires
that z_(1) says nothing else: raw_k = H(z_(1)|v_k) + H(v_k|z_(1)) + I(z_(2); v_k), which is 0 for a code that
is the factor renamed.

The bound follows from H(z, v) ≤ H(z) + H(v) ≤ ln bins + H(v) and I(z_(2); v) ≤ I(z_(1); v). A best code that
fills all bins evenly and knows nothing reaches it. A pure number in [0, 1]; higher is better. The paper
reports raw and raw / bound, for which lower is better. 1 − raw / bound is the form of M.-A. Carbonneau, J.
Zaïdi, J. Boilard, G. Gagnon, "Measuring Disentanglement: A Review of Metrics", 2020, arXiv:2012.09276. As
there, the codes are used as they are; the paper draws them from q(z|x), as `rmig` does.

K. Do, T. Tran, "Theory and Evaluation Metrics for Learning Disentangled Representations", 2020,
arXiv:1908.09961.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from metrics import information

__all__ = ["jemmig"]

TITLE = "JEMMIG, normalised"
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
BLIND_TO = (
    "A model that has learnt nothing: a constant code has no entropy, and scores ln bins / (H(v) + ln bins), "
    "which may be more than the score of a noisy but useful code."
)
COST = "O(N·L·K): one contingency table per code and factor, counted for all codes at once."


def jemmig(codes: ArrayLike, factors: ArrayLike, *, bins: int = 20) -> dict[str, float]:
    """Codes [N, L], factors [N, K] -> {"jemmig", "jemmig_raw": mean raw_k, nats, "jemmig_<k>" of factor k}.

    Constant codes have no entropy and know nothing. A factor with one value is left out. Raises ValueError
    when no factor varies, on fewer than 2 rows or bins, on NaN or infinity.
    """
    shared = information.between(codes, factors, bins)
    tied = shared.mutual >= shared.mutual.max(axis=0) - 1e-12
    joint = np.where(tied, shared.joint, np.inf).min(axis=0)
    raw = joint - information.leads(shared.mutual, axis=0)
    raw = np.maximum(raw, 0.0)  # a code that is the factor renamed: rounding may leave −1e-16
    scores = 1 - raw / (shared.factors + np.log(bins))
    return {"jemmig": float(scores.mean()), "jemmig_raw": float(raw.mean())} | {
        f"jemmig_{k}": float(score) for k, score in zip(shared.kept, scores, strict=True)
    }

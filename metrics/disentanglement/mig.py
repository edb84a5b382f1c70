"""Mutual information gap: the lead of each factor's most informative code over the second, in information.

    MIG   = mean over k of MIG_k
    MIG_k = ( I(z_(1); v_k) − I(z_(2); v_k) ) / H(v_k)

z_(1), z_(2)   the two codes, of codes [N, L], with the most information about factor v_k, of factors [N, K];
               if L = 1 the runner-up has none
I, H           mutual information and entropy in nats, by counting; each code is cut into 20 equal-width bins

A pure number between 0 (no code stands out) and 1 (one code per factor, and it determines the factor); higher
is better. With few images per bin counting overestimates I: the study behind the protocol uses 10,000.

R. T. Q. Chen, X. Li, R. Grosse, D. Duvenaud, "Isolating Sources of Disentanglement in Variational
Autoencoders", 2018, arXiv:1802.04942. Protocol: F. Locatello et al., "Challenging Common Assumptions in the
Unsupervised Learning of Disentangled Representations", 2019, arXiv:1811.12359.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from metrics import information

__all__ = ["mig"]

TITLE = "Mutual information gap"
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
BLIND_TO = (
    "Information that further codes share beyond the second best: a factor smeared over many codes scores "
    "like one smeared over two. It does not notice a code that carries several factors."
)
COST = "O(N·L·K): one contingency table per code and factor, counted for all codes at once."


def mig(codes: ArrayLike, factors: ArrayLike, *, bins: int = 20) -> dict[str, float]:
    """Codes [N, L], factors [N, K] -> {"mig", "mig_<k>" for every factor k that varies}.

    Constant codes have no information. A factor with one value has none to find: it has no gap and is left
    out of the mean. Raises ValueError when no factor varies, on fewer than 2 rows or bins, on NaN or
    infinity.
    """
    shared = information.between(codes, factors, bins)
    gaps = information.leads(shared.normalised, axis=0)
    return {"mig": float(gaps.mean())} | {
        f"mig_{k}": float(gap) for k, gap in zip(shared.kept, gaps, strict=True)
    }

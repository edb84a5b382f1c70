"""Supplement to the mutual information gap: how exclusively each latent is informative about one factor.

    MIG-sup   = mean over active j of MIG-sup_j
    MIG-sup_j = U_j(1) − U_j(2),        U_jk = I(z_j; v_k) / H(v_k)

U_j(1), U_j(2)   the largest and second largest of U_j· over the factors; with one factor the runner-up is 0
z, v             codes [N, L], factors [N, K]
I, H             mutual information and entropy in nats, by counting; each code is cut into 20 equal-width
                 bins
active           Var_n(z_nj) > 0.01

This is the mutual information gap with the roles of latents and factors exchanged: `mig` punishes a factor
that is split over latents, `mig_sup` a latent that mixes factors. Both are 1 only for a one-to-one
correspondence. A pure number between 0 and 1; higher is better.

The paper averages over the latents. Its authors' code (github.com/Zhiyuan1991/proVLAE, metric_MIG.py)
averages over the active ones, and so does this metric, since an unused latent has no factor that it is most
informative about. `mig_sup_all` is the mean over all L. If no latent is active the score is 0. Among the
metrics that count information, only this one depends on the scale of the codes, by the threshold.

Z. Li, J. V. Murkute, P. K. Gyawali, L. Wang, "Progressive Learning and Disentanglement of Hierarchical
Representations", 2020, arXiv:2002.10549. Counting instead of the paper's sampling: protocol of F. Locatello
et al., 2019, arXiv:1811.12359.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from metrics import arrays, information

__all__ = ["mig_sup"]

TITLE = "MIG-sup"
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
BLIND_TO = "A factor that several codes share, or that no code knows: it looks at each code alone."
COST = "O(N·L·K): one contingency table per code and factor, counted for all codes at once."


def mig_sup(
    codes: ArrayLike, factors: ArrayLike, *, bins: int = 20, threshold: float = 0.01
) -> dict[str, float]:
    """Codes [N, L], factors [N, K] -> {"mig_sup", "mig_sup_all": mean over all L, "mig_sup_<j>" for every
    active code j}.

    Codes whose variance is not above `threshold` are inactive; without an active one the score is 0. A factor
    with one value is left out. Raises ValueError when no factor varies, on fewer than 2 rows or bins, on a
    threshold that is not a number ≥ 0, on NaN or infinity.
    """
    threshold = arrays.nonnegative("threshold", threshold, "a variance", "the authors use 0.01")
    shared = information.between(codes, factors, bins)
    gaps = information.leads(shared.normalised, axis=1)
    active = np.flatnonzero(arrays.real("codes", codes).var(axis=0, dtype=np.float64) > threshold)
    return {
        "mig_sup": float(gaps[active].mean()) if len(active) else 0.0,
        "mig_sup_all": float(gaps.mean()),
    } | {f"mig_sup_{j}": float(gaps[j]) for j in active}

"""MED, mutual-information-based entropy disentanglement: DCI's with information as importance.

    MED  = Σ_j ρ_j D_j        ρ_j = Σ_k R_jk / Σ_jk R_jk
    D_j  = 1 + Σ_k p_jk log_K' p_jk        p_jk = R_jk / Σ_k R_jk
    R_jk = I(z_j; v_k) / Σ_j I(z_j; v_k)

z, v   codes [N, L], factors [N, K]; K' ≥ 2 of the factors vary
I      mutual information in nats, by counting; each code is cut into 20 equal-width bins

Pure numbers between 0 (every code knows all factors alike) and 1 (each code that knows anything knows one
factor); higher is better. Nothing is fitted, so MED can be computed for a thousand latents, unlike DCI's
trees. With so many, the codes that know little by chance outweigh the few that know much. So the paper has
two more numbers:

    med_top            MED of the codes that are, for each factor, the `top` of highest D_j among those that
                       know it best
    med_completeness   Σ_k ρ'_k C_k, where C_k is one minus the entropy over codes (log_L), and
                       ρ'_k = Σ_j R_jk / Σ_jk R_jk

A factor that no code knows has no R_·k (0/0 in the authors' code) and is left out. If no code knows any
factor, all scores are 0.

J. Cao, R. Nai, Q. Yang, J. Huang, Y. Gao, "An Empirical Study on Disentanglement of Negative-free Contrastive
Learning", 2022, arXiv:2206.04756; as in the authors' code, github.com/noahcao/disentanglement_lib_med
(metrics/med.py), but without the 1e-11 that it adds to each R_jk.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from metrics import arrays, importances, information

__all__ = ["med"]

TITLE = "Mutual-information-based entropy disentanglement"
PARTS = ("med_completeness",)
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
BLIND_TO = (
    "How much is known: each factor's information is divided by what all codes together have of it, so a "
    "faint trace in one code counts like all of it. Factors that several codes share."
)
COST = "O(N·L·K): one contingency table per code and factor, counted for all codes at once."


def med(codes: ArrayLike, factors: ArrayLike, *, bins: int = 20, top: int = 1) -> dict[str, float]:
    """Codes [N, L], factors [N, K] -> {"med", "med_top", "med_completeness"}.

    Constant codes have no information. A factor with one value is left out. Raises ValueError when fewer than
    two factors vary, on fewer than 2 rows or bins, on `top` below 1, on NaN or infinity.
    """
    top = arrays.whole("top", top, 1, "the authors use 1")
    shared = information.between(codes, factors, bins, least=2)
    known = shared.mutual.sum(axis=0)
    importance = np.divide(shared.mutual, known, out=np.zeros_like(shared.mutual), where=known > 0)  # R
    score, order = importances.concentrations(importance), np.arange(len(importance))
    order = order[np.argsort(-score, kind="stable")]
    best = importance[order].argmax(axis=1)
    chosen = np.concatenate([order[best == k][:top] for k in range(importance.shape[1])])
    return {
        "med": importances.averaged(score, importance),
        "med_top": importances.averaged(score[chosen], importance[chosen]),
        "med_completeness": importances.concentration(importance.T),
    }

"""Modularity: whether each code has information about one factor only.

    modularity   = mean over all L codes of modularity_j
    modularity_j = 1 − Σ_{k ≠ k*} I(z_j; v_k)² / ( (K' − 1) I(z_j; v_k*)² )

z, v   codes [N, L], factors [N, K]; K' ≥ 2 of the factors vary
k*     the factor that code j has most information about
I      mutual information in nats, by counting; each code is cut into 20 equal-width bins

A pure number between 0 (codes are equally informative about every factor, or not at all) and 1 (each code is
informative about one factor); higher is better. If I(z_j; ·) is 0 for every factor (a constant code) the
ratio is 0/0. The established implementation counts such a code as 0 and keeps it in the mean, and so does
this one: a model with 2 of 10 latents in use has modularity ≤ 0.2. The mean over the other codes is
`modularity_informative`. Since the ratio does not depend on the amount of information, a code of pure noise
is one of these: by chance it has a little information about each factor, and its modularity is often more
than a half.

K. Ridgeway, M. C. Mozer, "Learning Deep Disentangled Embeddings with the F-Statistic Loss", 2018,
arXiv:1802.05312. Protocol: F. Locatello et al., "Challenging Common Assumptions in the Unsupervised Learning
of Disentangled Representations", 2019, arXiv:1811.12359.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from metrics import information

__all__ = ["modularity"]

TITLE = "Modularity"
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
BLIND_TO = (
    "How much a code knows: noise that chance ties to a factor counts like a perfect code. Factors that no "
    "code, or that several codes, know."
)
COST = "O(N·L·K): one contingency table per code and factor, counted for all codes at once."


def modularity(codes: ArrayLike, factors: ArrayLike, *, bins: int = 20) -> dict[str, float]:
    """Codes [N, L], factors [N, K] -> {"modularity", "modularity_informative": mean over codes with any
    information}.

    Constant codes count as 0, as does the mean over no code at all. A factor with one value is left out.
    Raises ValueError when fewer than two factors vary, on fewer than 2 rows or bins, on NaN or infinity.
    """
    shared = information.between(codes, factors, bins, least=2)
    best = shared.mutual.max(axis=1)
    informative = best > 0
    relative = shared.mutual[informative] / best[informative, None]  # before squaring: no underflow
    rest = (relative**2).sum(axis=1) - 1
    scores = 1 - rest / (len(shared.kept) - 1)
    return {
        "modularity": float(scores.sum() / len(best)),
        "modularity_informative": float(scores.mean()) if informative.any() else 0.0,
    }

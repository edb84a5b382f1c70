"""DCIMIG: for each factor, the code that knows it most exclusively, and by how much.

    DCIMIG = Σ_k S_k / Σ_k H(v_k)
    S_k    = max over the codes j whose best factor is k of R_j        (0 if there is none)
    R_j    = I(z_j; v_(1)) − I(z_j; v_(2))

v_(1), v_(2)   the two factors, of factors [N, K], that code z_j, of codes [N, L], knows best; with one factor
               the runner-up counts as unknown
I, H           mutual information and entropy in nats, by counting; each code is cut into 20 equal-width bins

A pure number between 0 (every code knows two factors equally well, or none) and 1 (each factor is fully known
by a code that knows no other); higher is better. It is also called 3CharM, after the three characteristics
that it is meant to unite: disentanglement, completeness and informativeness.

A. Sepliarskaia, J. Kiseleva, M. de Rijke, "How to Not Measure Disentanglement", 2019, arXiv:1910.05587 (first
called "Evaluating Disentangled Representations"). The form is that of M.-A. Carbonneau, J. Zaïdi, J. Boilard,
G. Gagnon, "Measuring Disentanglement: A Review of Metrics", 2020, arXiv:2012.09276, and of their code:
github.com/ubisoft/ubisoft-laforge-disentanglement-metrics, src/metrics/dcimig.py.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from metrics import information

__all__ = ["dcimig"]

TITLE = "DCIMIG (3CharM)"
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
BLIND_TO = (
    "Further codes that know a factor: only the best one of each counts, so a duplicated code costs nothing."
)
COST = "O(N·L·K): one contingency table per code and factor, counted for all codes at once."


def dcimig(codes: ArrayLike, factors: ArrayLike, *, bins: int = 20) -> dict[str, float]:
    """Codes [N, L], factors [N, K] -> {"dcimig", "dcimig_<k>": S_k / H(v_k) for every factor k that varies}.

    Constant codes know nothing. A factor with one value is left out. Raises ValueError when no factor varies,
    on fewer than 2 rows or bins, on NaN or infinity.
    """
    shared = information.between(codes, factors, bins)
    gaps = information.leads(shared.mutual, axis=1)  # R_j
    best = shared.mutual.argmax(axis=1)  # if two tie, R_j is 0, and either will do
    exclusive = np.zeros(len(shared.kept))  # S_k
    np.maximum.at(exclusive, best, gaps)
    return {"dcimig": float(exclusive.sum() / shared.factors.sum())} | {
        f"dcimig_{k}": float(share) for k, share in zip(shared.kept, exclusive / shared.factors, strict=True)
    }

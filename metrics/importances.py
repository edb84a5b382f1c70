"""Concentration of tables of importances R [A, B] ≥ 0: is the importance of a row in one column, or in all?

    c_a           = 1 + Σ_b p_ab log_B p_ab,      p_ab = R_ab / Σ_b R_ab          between 0 and 1
    concentration = Σ_a ρ_a c_a,                  ρ_a = Σ_b R_ab / Σ_ab R_ab

With codes for rows and factors for columns the concentration is the disentanglement of C. Eastwood,
C. K. I. Williams, "A Framework for the Quantitative Evaluation of Disentangled Representations", ICLR 2018;
with factors for rows, their completeness. If B = 1, c = 1. A row of zeros has c = 0 and weight 0; a table of
zeros has concentration 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metrics import information

__all__ = ["averaged", "concentration", "concentrations"]


def concentration(R: NDArray[np.float64]) -> float:
    """Importances [A, B] -> Σ_a ρ_a c_a."""
    return averaged(concentrations(R), R)


def concentrations(R: NDArray[np.float64]) -> NDArray[np.float64]:
    """Importances [A, B] -> c [A]."""
    found = np.zeros(len(R))
    rows = R.sum(axis=1) > 0
    unit = np.log(R.shape[1]) or 1.0
    found[rows] = 1 - information.entropies(R[rows]) / unit
    return np.maximum(found, 0.0)


def averaged(scores: NDArray[np.float64], R: NDArray[np.float64]) -> float:
    """Scores [A] -> their mean, weighted by the sums of the rows of importances [A, B]; 0 where all are 0."""
    weights = R.sum(axis=1)
    return float(scores @ weights / weights.sum()) if weights.any() else 0.0

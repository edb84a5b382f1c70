"""Active units: how many latents respond to the image at all.

    AU = Σ_j [ Var_n(μ_nj) > 0.01 ]        Var_n: over the images, with 1/N

μ       posterior mean [N, L]

A count from 0 to L. Neither end is better: a narrow capacity or a high β leaves latents unused on purpose.

Y. Burda, R. Grosse, R. Salakhutdinov, "Importance Weighted Autoencoders", 2015, arXiv:1509.00519.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from metrics import arrays

__all__ = ["active_units"]

TITLE = "Active units"
UNIT = "latents"
HIGHER_IS_BETTER = None
RANGE = (0.0, math.inf)
BLIND_TO = "How much a latent says: one that barely passes the threshold counts like one of five nats."
COST = "O(N·L)."


def active_units(mean: ArrayLike, *, threshold: float = 0.01) -> dict[str, float]:
    """Posterior mean [N, L] -> {"active_units": the number of latents whose mean varies by more than
    `threshold`}.

    Constant means are inactive. Raises ValueError on fewer than 2 rows, a threshold that is not a number ≥ 0,
    NaN or infinity.
    """
    mu = arrays.real("mean", mean, rows=2)
    threshold = arrays.nonnegative("threshold", threshold, "a variance", "Burda et al. use 0.01")
    return {"active_units": float(np.sum(mu.var(axis=0, dtype=np.float64) > threshold))}

"""Dependence among the codes, from their covariance and in pairs; no factors are needed.

    total correlation  = ½ ( Σ_j ln Σ_jj − ln det Σ ) = KL( N(0, Σ) ‖ N(0, D) )        nats, of a Gaussian
    Wasserstein        = 2 tr Σ − 2 tr ( D^½ Σ D^½ )^½        squared distance of the same two Gaussians
    Wasserstein, norm  = Wasserstein / tr Σ                   a pure number
    mutual information = mean over i ≠ j of I(z_i; z_j)       nats

Σ   covariance [L, L] (1/(N − 1)) of the codes [N, L]
D   diag Σ
I   mutual information by counting; each code is cut into 20 equal-width bins

All are 0 for independent codes, also if these carry no information. Lower is better only between models that
are otherwise equal.

The total correlation has no upper end. It is +inf if the codes that vary are exactly linearly dependent, for
example if one is a multiple of another. (The test, to working precision: the smallest eigenvalue of their
correlation matrix is below 100 L units in the last place.) The variance of a constant code has no logarithm,
and the established implementation has no answer for it. Here the total correlation is that of the codes that
vary, since a constant is independent of everything; with fewer than two such codes it is 0. The other three
values include constant codes, as in the established implementation: they add nothing to the Wasserstein
distance, and their pairs add 0 to the mean of mutual information (0 if L = 1).

F. Locatello et al., "Challenging Common Assumptions in the Unsupervised Learning of Disentangled
Representations", 2019, arXiv:1811.12359: its unsupervised scores, in the form of the code of
disentanglement_lib.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from metrics import arrays, information
from metrics.standardised import standardised, varying

__all__ = ["unsupervised"]

TITLE = "Dependence among codes"
MAIN = "unsupervised_total_correlation"
UNIT = "nats"
HIGHER_IS_BETTER = False
RANGE = (0.0, math.inf)
BLIND_TO = (
    "Whether the codes mean anything: independent noise and constant codes are as good as a perfect code. "
    "The covariance sees no dependence but a linear one."
)
COST = "O(N·L²): a covariance, and one contingency table per pair of codes."


def unsupervised(codes: ArrayLike, *, bins: int = 20) -> dict[str, float]:
    """Codes [N, L] -> {"unsupervised_total_correlation", "unsupervised_wasserstein",
    "unsupervised_wasserstein_norm", "unsupervised_mutual_information"}.

    The total correlation is over codes that vary, +inf if they are linearly dependent. Constant codes are
    independent of all others. Raises ValueError on fewer than 2 rows or bins, on NaN or infinity.
    """
    z = arrays.real("codes", codes, rows=2)
    bins = arrays.whole("bins", bins, 2, "the study uses 20")
    n, latents = z.shape

    b = information.binned(z, bins)
    pairs = 0.0
    for j, table in enumerate(information.tables(b, bins, list(b), [bins] * latents)):
        shared = information.mutual_informations(table)
        pairs += shared.sum() - shared[j]

    varies = varying(z)
    correlation = np.eye(latents)
    if varies.any():
        standard = standardised(z[:, varies])
        correlation[np.ix_(varies, varies)] = standard.T @ standard / n
    eigenvalues = np.linalg.eigvalsh(correlation)  # a constant code adds an eigenvalue 1: ln 1 = 0
    dependent = eigenvalues[0] <= 100 * latents * np.finfo(np.float64).eps
    total = math.inf if dependent else max(0.0, float(-0.5 * np.log(eigenvalues).sum()))

    deviation = np.where(varies, _deviation(z), 0.0)
    largest = deviation.max() or 1.0
    scale = deviation / largest  # its squares neither overflow nor vanish
    trace = (scale**2).sum()
    # D^½ Σ D^½ in those units: covariances are correlations times both deviations.
    root = np.sqrt(np.maximum(np.linalg.eigvalsh(correlation * np.outer(scale**2, scale**2)), 0.0)).sum()
    distance = max(0.0, float(2 * trace - 2 * root))
    return {
        "unsupervised_total_correlation": total,
        "unsupervised_wasserstein": float(distance * largest**2),
        "unsupervised_wasserstein_norm": distance / float(trace) if trace else 0.0,
        "unsupervised_mutual_information": float(pairs / max(1, latents * (latents - 1))),
    }


def _deviation(z: np.ndarray) -> np.ndarray:
    """Standard deviations [L] of codes [N, L], with 1/(N − 1); exact at scales whose squares underflow."""
    span = np.ptp(z.astype(np.float64), axis=0)
    unit = np.where(span > 0, span, 1.0)
    return unit * ((z - z.mean(axis=0, dtype=np.float64)) / unit).std(axis=0, ddof=1)

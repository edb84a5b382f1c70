"""Fréchet distance of real images and samples: the distance of two Gaussians fitted to their features.

    d² = |m_x − m_y|² + tr( S_x + S_y − 2 (S_x S_y)^½ )

m, S     mean [F] and covariance [F, F] (1/(N−1)) of features of the real images x and of the samples y
features principal components of pixels, 64 of them (`metrics.pixel_features`)

d² is the squared 2-Wasserstein distance of the two Gaussians, in squared intensity summed over pixels; 0 if
the moments are equal, lower is better. The Fréchet inception distance is the same distance on other features,
so compare values between models on one data set, never with published FIDs. Errors of the estimated
covariances increase the distance: with one distribution on both sides d² falls to 0 as the numbers of images
grow.

M. Heusel, H. Ramsauer, T. Unterthiner, B. Nessler, S. Hochreiter, "GANs Trained by a Two Time-Scale Update
Rule Converge to a Local Nash Equilibrium", 2017, arXiv:1706.08500. The closed form: D. C. Dowson,
B. V. Landau, "The Fréchet Distance between Multivariate Normal Distributions", 1982.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics.pixel_features import COMPONENTS, pixel_features

__all__ = ["frechet_distance"]

TITLE = "Fréchet distance of samples, on principal components of pixels"
UNIT = "squared intensity"
HIGHER_IS_BETTER = False
RANGE = (0.0, math.inf)
BLIND_TO = (
    "Everything but means and covariances of the leading principal components: blur beyond them, shapes that "
    "only higher moments tell apart, and whether a sample merely repeats a training image."
)
COST = "O((N + M)·F²) and the principal components."


def frechet_distance(
    real: ArrayLike, samples: ArrayLike, *, components: int = COMPONENTS
) -> dict[str, float]:
    """Images [N, C, H, W] and [M, C, H, W] in [0, 1] -> {"frechet_distance": d²}.

    Raises ValueError when there are fewer than 2 of either, they differ in shape, or all of both are equal.
    """
    x, y = pixel_features(real, samples, components)
    return {"frechet_distance": _between(x.mean(axis=0), _covariance(x), y.mean(axis=0), _covariance(y))}


def _covariance(x: NDArray[np.float64]) -> NDArray[np.float64]:
    x = x - x.mean(axis=0)
    covariance: NDArray[np.float64] = x.T @ x / (len(x) - 1)
    return covariance


def _between(
    m_x: NDArray[np.float64],
    S_x: NDArray[np.float64],
    m_y: NDArray[np.float64],
    S_y: NDArray[np.float64],
) -> float:
    """d² of two Gaussians. With S = A Aᵀ, tr (S_x S_y)^½ is the sum of the singular values of A_xᵀ A_y."""
    shared = np.linalg.svd(_root(S_x).T @ _root(S_y), compute_uv=False).sum()
    squared = np.square(m_x - m_y).sum() + np.trace(S_x) + np.trace(S_y) - 2 * shared
    return max(0.0, float(squared))


def _root(S: NDArray[np.float64]) -> NDArray[np.float64]:
    """A with A Aᵀ = S, singular or not."""
    variance, turn = np.linalg.eigh(S)
    root: NDArray[np.float64] = turn * np.sqrt(np.maximum(variance, 0))
    return root

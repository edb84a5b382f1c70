"""Precision, recall, density and coverage: are samples near real images, and real images near samples?

    precision = 1/M Σ_j  1[ y_j ∈ ∪_i B(x_i, r_k(x_i)) ]     share of samples in the ball of a real image
    recall    = 1/N Σ_i  1[ x_i ∈ ∪_j B(y_j, r_k(y_j)) ]     share of real images in the ball of a sample
    density   = 1/(k M) Σ_j Σ_i  1[ y_j ∈ B(x_i, r_k(x_i)) ] number of balls that a sample is in, over k
    coverage  = 1/N Σ_i  1[ ∃ j: y_j ∈ B(x_i, r_k(x_i)) ]    share of real images with a sample in their ball

x, y        features [N, F] of real images and [M, F] of samples: principal components of pixels
            (`metrics.pixel_features`)
r_k(x)      distance of x to its k-th nearest neighbour among the points of its own set
B(x, r)     closed ball of radius r around x

Pure numbers; higher is better. Precision, recall and coverage are at most 1. Density is not: its expectation
is 1 if both sets come from one distribution, and it is larger if the samples concentrate where real images
are dense. With one distribution coverage tends to 1 − ((N−1)...(N−k)) / ((M+N−1)...(M+N−k)), about 1 − 2^−k
for N = M: 0.969 at k = 5. The main value is coverage, because outliers among the real images do not inflate
it, as they inflate precision and recall.

A real image that occurs more than k times has r = 0: its ball holds exact copies only.

Precision and recall: T. Kynkäänniemi, T. Karras, S. Laine, J. Lehtinen, T. Aila, "Improved Precision and
Recall Metric for Assessing Generative Models", 2019, arXiv:1904.06991. Density and coverage: M. F. Naeem,
S. J. Oh, Y. Uh, Y. Choi, J. Yoo, "Reliable Fidelity and Diversity Metrics for Generative Models", 2020,
arXiv:2002.09797; k = 5 is theirs. Their code uses open balls, which differ if distances are equal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics import arrays
from metrics.neighbours import kth_nearest, rounding, squared_distances
from metrics.pixel_features import COMPONENTS, pixel_features

__all__ = ["prdc"]

TITLE = "Precision, recall, density and coverage of samples"
MAIN = "prdc_coverage"
PARTS = ("prdc_density", "prdc_precision", "prdc_recall")
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
BLIND_TO = (
    "Detail beyond the leading principal components, such as blur, and whether a sample merely repeats a "
    "training image. Its values depend on the number of images: compare equal numbers only."
)
COST = "O((N + M)²·F) time in bounded memory, and the principal components."


def prdc(
    real: ArrayLike, samples: ArrayLike, *, neighbours: int = 5, components: int = COMPONENTS
) -> dict[str, float]:
    """Images [N, C, H, W] and [M, C, H, W] in [0, 1] -> {"prdc_coverage", "prdc_density", "prdc_precision",
    "prdc_recall"}.

    Raises ValueError when either has `neighbours` images or fewer, they differ in shape, or all of both are
    equal.
    """
    k = arrays.whole("neighbours", neighbours, 1, "the paper uses 5")
    x, y = pixel_features(real, samples, components)
    arrays.at_least("real", len(x), k + 1)
    arrays.at_least("samples", len(y), k + 1)
    return {f"prdc_{name}": value for name, value in _prdc(x, y, k).items()}


def _prdc(x: NDArray[np.float64], y: NDArray[np.float64], k: int) -> dict[str, float]:
    """Features [N, F] and [M, F], both longer than k -> the four values."""
    centre = x.mean(axis=0)  # near zero, products of features lose fewest digits
    x, y = x - centre, y - centre
    allowed = rounding(x, y)  # a point on the sphere is in the ball
    real_reach, sample_reach = kth_nearest(x, k) + allowed, kth_nearest(y, k) + allowed
    reached_by = np.zeros(len(y), dtype=np.intp)  # real images that reach each sample
    covered, recalled = np.empty(len(x), dtype=np.bool_), np.empty(len(x), dtype=np.bool_)
    for rows, squared in squared_distances(x, y):
        inside = squared <= real_reach[rows, None]
        reached_by += inside.sum(axis=0)
        covered[rows] = inside.any(axis=1)
        recalled[rows] = (squared <= sample_reach).any(axis=1)
    return {
        "coverage": float(covered.mean()),
        "density": float(reached_by.mean() / k),
        "precision": float((reached_by > 0).mean()),
        "recall": float(recalled.mean()),
    }

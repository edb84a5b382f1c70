"""Features of images without a trained network: the leading principal components of their pixels.

    φ(x) = Vᵀ (x − m)

x        an image as a vector [D]
m        mean of all images [D]
V        [D, F]: the F orthonormal directions in which the images, real ones and samples together, vary most
φ        features [F]

Published metrics of samples use features of networks trained on photographs (Inception, VGG). Those need
downloaded weights, and suit sprites and digits badly. Principal components need no weights. They compare
images as pixels: an object that is two pixels away is different, and detail beyond the F components is
invisible. Distances between features are distances between images, in intensity; with a large F they tend to
the Euclidean distance of pixels.

V is fitted to real images and samples together, for two reasons. Components of the real images alone follow
the accidents of those images: fresh images of the same distribution would have a smaller variance in them
than the real ones. And differences in directions in which real images do not vary would be invisible.
Directions without variance are left out, so there may be fewer than F.

Principal components: K. Pearson, 1901. If D > 1,024 they come from randomised subspace iteration: N. Halko,
P.-G. Martinsson, J. A. Tropp, "Finding Structure with Randomness", 2009, arXiv:0909.4061. The iteration has a
fixed start, and ends when the variance along the directions changes by less than a share of 1e-5.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics import arrays

__all__ = ["COMPONENTS", "pixel_features"]

COMPONENTS = 64

_EXACT = 1024  # pixels up to which the covariance is small enough for a direct decomposition
_SPARE = 32  # directions beyond those that are needed, so that the last of these converge too
_PASSES = 40
_VALUES = 2**21  # pixels at a time: 16 MiB of float64


def pixel_features(
    real: ArrayLike, samples: ArrayLike, components: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Real images [N, C, H, W] and samples [M, C, H, W], in [0, 1] -> features [N, F] and [M, F],
    F ≤ components.

    Raises ValueError when the images differ in shape, there are fewer than 2 of either, or all of both are
    equal.
    """
    x, y = arrays.fraction_images("real", real), arrays.fraction_images("samples", samples)
    if x.shape[1:] != y.shape[1:]:
        raise ValueError(
            f"samples: expected images of the shape of real {list(x.shape[1:])}, got {list(y.shape[1:])}; "
            "sample from a model that was trained on these images"
        )
    arrays.at_least("real", len(x), 2)
    arrays.at_least("samples", len(y), 2)
    count = arrays.whole("components", components, 1, f"{COMPONENTS} is the default")
    both = [x.reshape(len(x), -1), y.reshape(len(y), -1)]
    total = len(x) + len(y)
    mean = sum(images.sum(axis=0, dtype=np.float64) for images in both) / total
    basis, variance = (_exact if len(mean) <= _EXACT else _iterated)(both, mean, min(count, total - 1))
    # Rounding makes a variance of 0 as large as this, relative to the largest and to the intensities.
    basis = basis[:, variance > 1e-10 * variance[0] + 1e-14 * float(np.square(mean).sum())]
    if not basis.shape[1]:
        raise ValueError(
            f"real: expected images that differ, but all {len(x)}, and the samples, are equal; "
            "pass images of the data set as they are"
        )
    features = np.concatenate([block @ basis for block in _centred(both, mean)])
    return features[: len(x)], features[len(x) :]


def _centred(both: list[NDArray[Any]], mean: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """The rows of both arrays in order, in blocks [rows, D]."""
    step = max(1, _VALUES // len(mean))
    for images in both:
        for start in range(0, len(images), step):
            yield images[start : start + step] - mean


def _exact(
    both: list[NDArray[Any]], mean: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Directions [D, count] of largest variance, and the variances, descending."""
    covariance = np.zeros((len(mean), len(mean)))
    for block in _centred(both, mean):
        covariance += block.T @ block
    variance, basis = np.linalg.eigh(covariance / sum(map(len, both)))
    return basis[:, ::-1][:, :count], variance[::-1][:count]


def _iterated(
    both: list[NDArray[Any]], mean: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same from a random basis, multiplied repeatedly by the covariance, which is never formed."""
    total = sum(map(len, both))
    width = min(count + _SPARE, total, len(mean))
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(len(mean), width)))[0]
    held = 0.0
    for _ in range(_PASSES):
        product = np.zeros_like(basis)
        single = basis.astype(np.float32)  # half the time, and the next pass repairs its rounding
        for block in _centred(both, mean):
            narrow = block.astype(np.float32)
            product += narrow.T @ (narrow @ single)
        product /= total
        variance, turn = np.linalg.eigh(basis.T @ product)
        top, ritz = variance[::-1][:count], basis @ turn[:, ::-1][:, :count]
        previous, held = held, float(top.sum())
        if held - previous <= 1e-5 * held:
            break
        basis = np.linalg.qr(product)[0]
    return ritz, top

"""Structural similarity of each reconstruction, at one scale or several.

    ℓ = ( 2 μ_x μ_y + C₁ ) / ( μ_x² + μ_y² + C₁ )        luminance
    s = ( 2 σ_xy + C₂ ) / ( σ_x² + σ_y² + C₂ )            contrast and structure
    C₁ = (0.01 R)²,  C₂ = (0.03 R)²                       R = 1, the range of the data

x, y      image and reconstruction
μ, σ      mean, variances and covariance under a Gaussian window of 11 × 11 pixels, σ = 1.5, that sums to 1

The window slides over every place where it fits, as in the authors' ssim_index.m: there is no padding. At the
next scale both images are averaged over 2 × 2 pixels; an odd last row or column is dropped.

An image narrower than the window gets a smaller window of the same shape: the largest odd side w that fits,
and σ = 1.5 · w / 11. For an 8 × 8 digit it is 7 × 7. This is a rule of this project; the papers have none.

Each channel is compared on its own; ℓ s and s are averaged over places and channels.

Everything is computed from a = x + y and b = x − y:

    2 σ_xy      = (σ_a² − σ_b²)/2
    σ_x² + σ_y² = (σ_a² + σ_b²)/2        and the same for μ

So the convolutions are of a, b, a², b² and not of x, y, x², y², xy, and identical images give exactly 1.

Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image Quality Assessment: From Error Visibility to
Structural Similarity", IEEE Transactions on Image Processing 13(4), 2004, doi:10.1109/TIP.2003.819861.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics import image_pairs

__all__ = ["similarities"]

_SIDE = 11
_SIGMA = 1.5
_C1, _C2 = 0.01**2, 0.03**2
_CHUNK = 2**15  # values at a time, so that the eight maps of a chunk stay in cache
_TILE = 14  # outputs of one product with a band matrix: long tiles multiply more zeros, short ones are many


def similarities(
    images: ArrayLike, reconstructions: ArrayLike, most: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Images and reconstructions [N, C, H, W] -> mean of s at every scale [N, scales], mean of ℓ s at the
    last [N].

    The scales are those, up to `most`, at which the image is no narrower than the window, and always the
    first. Raises ValueError like `image_pairs.checked`.
    """
    x, y = image_pairs.checked(images, reconstructions)
    scales = 1
    while scales < most and min(x.shape[-2:]) >> scales >= _SIDE:
        scales += 1
    structure, whole = np.empty((len(x), scales)), np.empty(len(x))
    for rows in image_pairs.chunks(x, _CHUNK):
        pair = np.stack(
            [np.add(x[rows], y[rows], dtype=np.float64), np.subtract(x[rows], y[rows], dtype=np.float64)]
        )
        for scale in range(scales):
            if scale:
                pair = _halved(pair)
            mean, variance = _moments(pair)
            s = _ratio(variance, _C2)
            structure[rows, scale] = s.mean(axis=(1, 2, 3))
        s *= _ratio(mean, _C1)
        whole[rows] = s.mean(axis=(1, 2, 3))
    return structure, whole


def _ratio(pair: NDArray[np.float64], constant: float) -> NDArray[np.float64]:
    """((a − b)/2 + C) / ((a + b)/2 + C), of a, b ≥ 0: between −1 and 1."""
    a, b = pair
    below = a + b
    below += 2 * constant
    above = np.subtract(a, b, out=a)
    above += 2 * constant
    above /= below
    return above


def _moments(pair: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x + y and x − y [2, N, C, H, W] -> squares of local means and local variances, each [2, N, C, h, w]."""
    side = min(_SIDE, *(length - 1 + length % 2 for length in pair.shape[-2:]))
    place = np.arange(side) - side // 2
    window = np.exp(-0.5 * np.square(place * _SIDE / (_SIGMA * side)))
    window /= window.sum()
    blurred = _blurred(np.concatenate([pair, np.square(pair)]), window)
    mean, variance = np.square(blurred[:2], out=blurred[:2]), blurred[2:]
    variance -= mean
    return mean, np.maximum(variance, 0, out=variance)  # rounding gives −1e-17 where an image is flat


def _blurred(maps: NDArray[np.float64], window: NDArray[np.float64]) -> NDArray[np.float64]:
    """Maps [..., H, W] averaged under the window [w] along both axes where it fits [..., H−w+1, W−w+1]."""
    *lead, height, width = maps.shape
    inner = len(window) - 1
    rows, columns = height - inner, width - inner
    across, down = np.empty((*lead, height, columns)), np.empty((*lead, rows, columns))
    flat_from, flat_to = maps.reshape(-1, width), across.reshape(-1, columns)  # one product for all maps
    for start, stop, band in _tiles(columns, window):
        np.matmul(flat_from[:, start : stop + inner], band, out=flat_to[:, start:stop])
    for start, stop, band in _tiles(rows, window):
        np.matmul(band.T, across[..., start : stop + inner, :], out=down[..., start:stop, :])
    return down


def _tiles(length: int, window: NDArray[np.float64]) -> list[tuple[int, int, NDArray[Any]]]:
    """Ranges that cover `length` outputs, each with a matrix [inputs, outputs] with the window on its
    diagonal.

    A product with the matrix is the convolution. BLAS does that several times faster than a convolution step
    by step.
    """
    step = -(-length // -(-length // _TILE))  # nearly equal tiles
    band = np.zeros((step + len(window) - 1, step))
    for offset, weight in enumerate(window):
        np.fill_diagonal(band[offset:], weight)
    starts = range(0, length, step)
    stops = [min(start + step, length) for start in starts]
    return [
        (start, stop, band[: stop - start + len(window) - 1, : stop - start])
        for start, stop in zip(starts, stops, strict=True)
    ]


def _halved(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Maps [..., H, W] -> means over 2 × 2 pixels [..., H // 2, W // 2]."""
    height, width = maps.shape[-2] // 2 * 2, maps.shape[-1] // 2 * 2
    rows = maps[..., 0:height:2, :width] + maps[..., 1:height:2, :width]
    sums: NDArray[np.float64] = rows[..., 0::2] + rows[..., 1::2]
    sums /= 4
    return sums

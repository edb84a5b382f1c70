"""Squared error of each reconstruction.

e_n = 1/D Σ_d (x_nd − x̂_nd)²          x: images [N, C, H, W] in [0, 1], x̂: reconstructions, D = C·H·W
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics import arrays

__all__ = ["squared_error"]

_CHUNK = 2**22  # values at a time: 32 MiB of float64, whatever the number of images


def squared_error(images: ArrayLike, reconstructions: ArrayLike) -> NDArray[np.float64]:
    """Images and reconstructions [N, C, H, W] -> mean squared error of each image [N], float64.

    Raises ValueError when the shapes differ, an image leaves [0, 1] or a reconstruction is not finite.
    """
    x = arrays.fraction_images("images", images)
    y = arrays.real("reconstructions", reconstructions, "N, C, H, W")
    if x.shape != y.shape:
        raise ValueError(
            f"reconstructions: expected the shape of images {list(x.shape)}, got {list(y.shape)}; "
            "pass the reconstruction of each image, in the same order"
        )
    errors = np.empty(len(x))
    step = max(1, _CHUNK // x[0].size)
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        difference = np.subtract(x[rows], y[rows], dtype=np.float64)
        errors[rows] = np.square(difference, out=difference).mean(axis=(1, 2, 3))
    return errors

"""Squared error of each reconstruction.

    e_n = 1/D Σ_d (x_nd − x̂_nd)²

x      images [N, C, H, W] in [0, 1]; D = C·H·W
x̂      reconstructions of the same shape
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics import image_pairs

__all__ = ["squared_error"]

_CHUNK = 2**22  # values at a time: 32 MiB of float64, whatever the number of images


def squared_error(images: ArrayLike, reconstructions: ArrayLike) -> NDArray[np.float64]:
    """Images and reconstructions [N, C, H, W] -> mean squared error of each image [N], float64.

    Raises ValueError like `image_pairs.checked`.
    """
    x, y = image_pairs.checked(images, reconstructions)
    errors = np.empty(len(x))
    for rows in image_pairs.chunks(x, _CHUNK):
        difference = np.subtract(x[rows], y[rows], dtype=np.float64)
        errors[rows] = np.square(difference, out=difference).mean(axis=(1, 2, 3))
    return errors

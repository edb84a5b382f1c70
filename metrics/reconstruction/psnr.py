"""Peak signal-to-noise ratio of each reconstruction, averaged over the images.

    PSNR = 1/N Σ_n −10 log10 max( e_n, 1e-10 )

e_n     mean squared error of image n; the range of the data is 1

Decibels, higher is better. The value of an image that is reconstructed exactly would be infinite and dominate
the mean, so errors below 1e-10 count as 1e-10 and no image exceeds 100 dB. (Rounding to 8 bits alone limits
an image to 59 dB: no real model is near 100.)

The mean of logarithms is not the logarithm of the mean error: PSNR ≥ −10 log10 MSE.

Z. Wang, A. C. Bovik, "Mean Squared Error: Love It or Leave It?", IEEE Signal Processing Magazine 26(1), 2009.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from metrics.squared_error import squared_error

__all__ = ["psnr"]

TITLE = "Peak signal-to-noise ratio"
UNIT = "dB"
HIGHER_IS_BETTER = True
RANGE = (-math.inf, 100.0)
BLIND_TO = "Structure, as the mean squared error that it is a logarithm of."
COST = "O(N·D), D values per image."

_SMALLEST_ERROR = 1e-10


def psnr(images: ArrayLike, reconstructions: ArrayLike) -> dict[str, float]:
    """Images and reconstructions [N, C, H, W] -> {"psnr"}; 100 dB if they are identical.

    Raises ValueError when the shapes differ, an image leaves [0, 1] or a reconstruction is not finite.
    """
    errors = np.maximum(squared_error(images, reconstructions), _SMALLEST_ERROR)
    return {"psnr": float(-10 * np.log10(errors).mean())}

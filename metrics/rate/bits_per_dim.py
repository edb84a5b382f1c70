"""Bits per dimension: the negative ELBO per value of an image, a bound on the length of a lossless code.

    bits/dim = ( −ELBO / D − ln δ ) / ln 2

−ELBO    distortion + rate, mean over the images, nats
D        values per image, C·H·W
δ        `bin_width`: the width of the interval, in the data's unit, that one stored value stands for

The scale is the same for all image sizes.

δ = 1 (the default) is for a discrete likelihood. Its −ELBO already bounds the −ln of a probability: bits/dim
= −ELBO / (D ln 2). The −ELBO of a density bounds the −ln of a probability per unit volume. The probability of
a stored image is about that density times δ^D, hence the term −ln δ. Images stored as 8 bits and scaled to
[0, 1] by x / 255 have values 1/255 apart, so δ = 1/255 for a Gaussian likelihood on them, which adds log2
255 = 7.994 bits. The approximation is good if the density is flat across δ (σ well above 1/255), and too low
otherwise.

Lower is better. Bits. A deterministic code has rate +inf, so +inf bits per dimension.

The convention: A. van den Oord, N. Kalchbrenner, K. Kavukcuoglu, "Pixel Recurrent Neural Networks", 2016,
arXiv:1601.06759; densities and discrete values: L. Theis, A. van den Oord, M. Bethge, "A note on the
evaluation of generative models", 2015, arXiv:1511.01844.
"""

from __future__ import annotations

import math

from numpy.typing import ArrayLike

from metrics.bin_volume import log_volume
from metrics.rate.negative_elbo import negative_elbo

__all__ = ["bits_per_dim"]

TITLE = "Bits per dimension"
UNIT = "bits"
HIGHER_IS_BETTER = False
RANGE = (-math.inf, math.inf)
BLIND_TO = "How the sum is shared between distortion and rate, and what the images look like."
COST = "O(N)."


def bits_per_dim(
    distortion: ArrayLike, rate: ArrayLike, dimensions: int, *, bin_width: float = 1.0
) -> dict[str, float]:
    """Distortion and rate [N], nats per image, of images of `dimensions` values -> {"bits_per_dim"}.

    +inf if a rate is +inf. Raises ValueError on `dimensions` < 1 or `bin_width` ≤ 0, and like
    `negative_elbo`.
    """
    volume = log_volume(dimensions, bin_width)
    bound = negative_elbo(distortion, rate)["negative_elbo"]
    return {"bits_per_dim": (bound - volume) / (int(dimensions) * math.log(2))}

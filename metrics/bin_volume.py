"""From densities to probabilities of stored values: the volume that one stored image stands for.

    ln δ^D = D ln δ

D      values per image, C·H·W
δ      `bin_width`: the width, in the data's unit, that one stored value stands for

The probability of a stored image is about its density times δ^D. δ = 1 if the likelihood is a probability
already.
"""

from __future__ import annotations

import math

from metrics import arrays

__all__ = ["log_volume"]


def log_volume(dimensions: int, bin_width: float) -> float:
    """ln δ^D. Raises ValueError on `dimensions` < 1 or `bin_width` ≤ 0."""
    dimensions = arrays.whole("dimensions", dimensions, 1, "it is the number of values per image, C·H·W")
    if not (math.isfinite(bin_width) and bin_width > 0):
        raise ValueError(
            f"bin_width: expected a width > 0, got {bin_width!r}; 1 if discrete, 1/255 for 8-bit densities"
        )
    return dimensions * math.log(bin_width)

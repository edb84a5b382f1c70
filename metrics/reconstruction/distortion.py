"""Distortion: the negative log-likelihood of an image, given its code.

    distortion     = 1/N Σ_n d_n,    d_n = E_q(z | x_n) [ −ln p(x_n | z) ]
    standard error = sqrt( Σ_n (d_n − distortion)² / (N (N − 1)) )

d       nats per image [N], exact with the constants of the likelihood, summed over the image's values

Nats per image, lower is better. It may be negative if the likelihood is a density (Gaussian). Compare only
models with the same likelihood on the same images.

A. A. Alemi, B. Poole, I. Fischer, J. V. Dillon, R. A. Saurous, K. Murphy, "Fixing a Broken ELBO", 2018,
arXiv:1711.00464.
"""

from __future__ import annotations

import math

from numpy.typing import ArrayLike

from metrics import arrays

__all__ = ["distortion"]

TITLE = "Distortion"
UNIT = "nats"
HIGHER_IS_BETTER = False
RANGE = (-math.inf, math.inf)
BLIND_TO = "What an eye would object to: pixels count one by one."
COST = "O(N)."


def distortion(distortion: ArrayLike) -> dict[str, float]:
    """Distortion [N], nats per image -> {"distortion": mean, "distortion_standard_error": of the mean, over
    images}.

    The standard error of a single image is +inf. Raises ValueError on NaN or infinity.
    """
    d = arrays.per_image("distortion", distortion)
    error = float(d.std(ddof=1)) / math.sqrt(len(d)) if len(d) > 1 else math.inf
    return {"distortion": float(d.mean()), "distortion_standard_error": error}

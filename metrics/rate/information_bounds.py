"""Bounds on the mutual information of images and codes, from distortion and rate alone.

    max( 0, H − D )  ≤  I(x; z)  ≤  R
    D = 1/N Σ_n distortion_n − C·H·W ln δ,        R = 1/N Σ_n rate_n

I      mutual information of image and code under the encoder, over the images that D and R are means of
H      `entropy` of these images, nats. The default is ln N: D and R are means over N images, that is over the
       uniform distribution on them, whose entropy is ln N if no image occurs twice. (With the entropy of
       another, larger population, D and R would have to be means over that.)
D, R   −ln p(x | z) and KL( q(z | x) ‖ p(z) ) per image, nats
δ      `bin_width`: the width of the interval, in the data's unit, that one stored value stands for, as in
       `bits_per_dim`: 1 if the likelihood is a probability; a density p stands for the probability
       p δ^(C·H·W), which is a good approximation if p is flat across δ

Nats. Neither end is better. The upper bound is tight if the codes of all images together are distributed like
the prior (`aggregate_posterior` is 0). The lower bound is tight if the decoder is the inverse of the encoder,
q(x | z). The gap is R − max(0, H − D). If H − D > 0, the gap is the distance of the negative ELBO D + R from
H, the least value that any model can reach.

The lower bound is 0, and so gives no information, if D ≥ H. With ln N of 13 nats at most, a model of images
must reconstruct very well before the bound exceeds 0. A negative gap contradicts Gibbs' inequality. Its cause
is one of three: H is too large (images occur twice), a density was not flat across δ, or D was estimated from
too few samples of z.

A deterministic code has rate +inf: no upper bound, and a gap of +inf.

A. A. Alemi, B. Poole, I. Fischer, J. V. Dillon, R. A. Saurous, K. Murphy, "Fixing a Broken ELBO", 2018,
arXiv:1711.00464.
"""

from __future__ import annotations

import math

from numpy.typing import ArrayLike

from metrics import arrays
from metrics.bin_volume import log_volume

__all__ = ["information_bounds"]

TITLE = "Bounds on the information in the codes: lower"
MAIN = "information_bounds_lower"
UNIT = "nats"
HIGHER_IS_BETTER = None
RANGE = (0.0, math.inf)
BLIND_TO = (
    "Whatever lies between the bounds. The lower one is 0 for most models of images: their distortion "
    "exceeds the entropy of N images."
)
COST = "O(N)."


def information_bounds(
    distortion: ArrayLike,
    rate: ArrayLike,
    dimensions: int,
    *,
    bin_width: float = 1.0,
    entropy: float | None = None,
) -> dict[str, float]:
    """Distortion and rate [N], nats per image, of images of `dimensions` values -> nats per image:

    {"information_bounds_lower", "information_bounds_upper", "information_bounds_gap": upper − lower}

    entropy: of the images, nats; None is ln N. Raises ValueError on an entropy that is not a number ≥ 0, on
    `dimensions` < 1, `bin_width` ≤ 0, different lengths, NaN, or a distortion that is infinite.
    """
    d = arrays.per_image("distortion", distortion)
    r = arrays.per_image("rate", rate, infinite=True)
    arrays.same_rows(distortion=d, rate=r)
    volume = log_volume(dimensions, bin_width)
    if entropy is None:
        entropy = math.log(len(d))
    entropy = arrays.nonnegative("entropy", entropy, "nats", "None is ln N, of N different images")
    lower = max(0.0, entropy - (float(d.mean()) - volume))
    upper = float(r.mean())
    return {
        "information_bounds_lower": lower,
        "information_bounds_upper": upper,
        "information_bounds_gap": upper - lower,
    }

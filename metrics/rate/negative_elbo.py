"""Negative ELBO: an upper bound on the negative log-likelihood of an image.

    −ELBO = 1/N Σ_n ( distortion_n + rate_n )

distortion    −ln p(x | z) per image, nats, exact with its constants [N]
rate          KL( q(z | x) ‖ p(z) ) per image, nats [N]

Nats per image, lower is better. The bound is the same for every family, whatever weights the family's own
objective has. For a likelihood that is a density (Gaussian) it may be negative, and is not comparable with
that of a discrete likelihood: see `bits_per_dim`. A deterministic code has rate +inf, so its bound is +inf
and gives no information about the likelihood.

D. P. Kingma, M. Welling, "Auto-Encoding Variational Bayes", 2013, arXiv:1312.6114.
"""

from __future__ import annotations

import math

from numpy.typing import ArrayLike

from metrics import arrays

__all__ = ["negative_elbo"]

TITLE = "Negative ELBO"
UNIT = "nats"
HIGHER_IS_BETTER = False
RANGE = (-math.inf, math.inf)
BLIND_TO = "How the sum is shared between distortion and rate, so whether the codes say anything at all."
COST = "O(N)."


def negative_elbo(distortion: ArrayLike, rate: ArrayLike) -> dict[str, float]:
    """Distortion and rate [N], nats per image -> {"negative_elbo": their mean sum}.

    +inf if a rate is +inf. Raises ValueError on different lengths, NaN, or a distortion that is infinite.
    """
    d = arrays.per_image("distortion", distortion)
    r = arrays.per_image("rate", rate, infinite=True)
    arrays.same_rows(distortion=d, rate=r)
    return {"negative_elbo": float((d + r).mean())}

"""KL decomposition: what the rate is spent on.

    rate = I(n; z) + KL( q(z) ‖ Π_j q(z_j) ) + Σ_j KL( q(z_j) ‖ p(z_j) )

I(n; z)            index-code mutual information: what the codes tell about which image it was, at most ln M
the second         total correlation: dependence between latents; 0 where they are independent over the data
the third          dimension-wise KL: how far each latent's distribution over the data is from the prior N(0, 1)
q(z)               1/M Σ_n Π_j N(z_j; μ_nj, σ_nj²), the aggregate posterior of mean and std [N, L]; M = min(N, components)

Nats. Neither end of I is better: it is what the codes are for, and what they cost. The other two only cost.

Expectations are means over draws from q(z), `draws` of them; densities are exact. The three add up to the rate of the M
images (to rounding, unless one came out negative, by noise, and counts as 0). For the M images the estimate is unbiased.
For more images than those, I is too small and cannot exceed ln M (9.2 nats of 10,000 images), and dimension-wise KL and
total correlation together are too large by as much: near ln M, read I as "at least". `metrics.average_kl` says more.

Deterministic codes (σ = 0): I and the total correlation are those of the places that occur, so I = ln M where all codes
differ; the dimension-wise KL, like the rate, is +inf.

M. D. Hoffman, M. J. Johnson, "ELBO surgery: yet another way to carve up the variational evidence lower bound", NIPS workshop,
2016. R. T. Q. Chen, X. Li, R. Grosse, D. Duvenaud, "Isolating Sources of Disentanglement in Variational Autoencoders", 2018,
arXiv:1802.04942: the three terms.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from metrics import average_kl, posterior

__all__ = ["kl_decomposition"]

TITLE = "KL decomposition: index-code mutual information"
MAIN = "kl_decomposition_mutual_information"
UNIT = "nats"
HIGHER_IS_BETTER = None
RANGE = (0.0, math.inf)
STANDARD_NORMAL = True
BLIND_TO = "What the information is about: telling two noisy images of one thing apart counts like telling two things apart. It cannot exceed the logarithm of the number of images."
COST = "O(draws · components · L)."


def kl_decomposition(
    mean: ArrayLike,
    std: ArrayLike,
    rng: np.random.Generator,
    *,
    draws: int = average_kl.DRAWS,
    components: int = average_kl.COMPONENTS,
) -> dict[str, float]:
    """Posterior mean and standard deviation [N, L] -> nats per image:

    {"kl_decomposition_mutual_information", "kl_decomposition_total_correlation", "kl_decomposition_dimension_wise_kl"}

    draws: points drawn from the aggregate posterior. components: images that it is the mixture of; of more, as many are drawn.
    Raises ValueError on negative σ, on shapes that differ, on settings below 1, on NaN or infinity.
    """
    mu, sigma = posterior.checked(mean, std)
    terms = average_kl.terms(mu, sigma, rng, draws=draws, components=components)
    return {f"kl_decomposition_{name}": max(0.0, nats) for name, nats in terms._asdict().items()}

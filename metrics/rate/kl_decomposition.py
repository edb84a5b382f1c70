"""KL decomposition: the parts of the rate.

    rate = I(n; z) + KL( q(z) ‖ Π_j q(z_j) ) + Σ_j KL( q(z_j) ‖ p(z_j) )

I(n; z)            index-code mutual information: how well the codes identify their images, at most ln M
second term        total correlation: dependence between latents; 0 if they are independent over the data
third term         dimension-wise KL: distance of each latent's distribution over the data from N(0, 1)
q(z)               1/M Σ_n Π_j N(z_j; μ_nj, σ_nj²), the aggregate posterior of mean and std [N, L];
                   M = min(N, components)

Nats. Neither end of I is better: information is the purpose of the codes and also a cost. The other two terms
are only costs.

Expectations are means over `draws` draws from q(z); densities are exact. The three terms add up to the rate
of the M images (to rounding, unless noise made a term negative: it then counts as 0). For the M images the
estimate is unbiased. For more images than M, I is too small and cannot exceed ln M (9.2 nats of 10,000
images); dimension-wise KL and total correlation together are too large by the same amount. Near ln M, read I
as "at least". `metrics.average_kl` has the details.

For deterministic codes (σ = 0) I and the total correlation are those of the distinct codes, so I = ln M if
all codes differ. The dimension-wise KL, like the rate, is +inf.

M. D. Hoffman, M. J. Johnson, "ELBO surgery: yet another way to carve up the variational evidence lower
bound", NIPS workshop, 2016. R. T. Q. Chen, X. Li, R. Grosse, D. Duvenaud, "Isolating Sources of
Disentanglement in Variational Autoencoders", 2018, arXiv:1802.04942: the three terms.
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
BLIND_TO = (
    "What the information is about: telling two noisy images of one thing apart counts like telling two "
    "things apart. It cannot exceed the logarithm of the number of images."
)
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

    {"kl_decomposition_mutual_information", "kl_decomposition_total_correlation",
    "kl_decomposition_dimension_wise_kl"}

    draws: points drawn from the aggregate posterior. components: images that make the mixture; if there are
    more images, this number is drawn. Raises ValueError on negative σ, on shapes that differ, on settings
    below 1, on NaN or infinity.
    """
    mu, sigma = posterior.checked(mean, std)
    terms = average_kl.terms(mu, sigma, rng, draws=draws, components=components)
    return {f"kl_decomposition_{name}": max(0.0, nats) for name, nats in terms._asdict().items()}

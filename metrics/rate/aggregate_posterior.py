"""Aggregate posterior: how far the distribution of the codes of all images is from the prior.

    KL( q(z) ‖ p(z) ) = rate − I(n; z)
    q(z)              = 1/M Σ_n Π_j N(z_j; μ_nj, σ_nj²),        p(z) = N(0, I)
    gaussian          = ½ ( tr C + |m|² − L − ln det C )
    m                 = 1/N Σ_n μ_n,        C = Cov_n(μ_n) + diag( 1/N Σ_n σ_n² )

μ, σ     posterior mean and standard deviation [N, L]
m, C     mean [L] and covariance [L, L] (1/N) of q(z)
M        min(N, components), the number of images that make the mixture q(z)

Nats, lower is better: at 0, codes drawn from the prior are distributed like codes of images. The divergence
is the sum of total correlation and dimension-wise KL of `kl_decomposition`, and is estimated in the same way.
For more images than M the estimate is too large, by as much as that of I is too small. Where I is near ln M,
the divergence is not much more than rate − ln M.

The gaussian part has neither that bias nor noise. It is the divergence of the Gaussian with the moments of
q(z), which is at most the divergence of q(z): the part that mean, variances and correlations account for.
Three more numbers show which of these it is:

    largest_mean             max_j |m_j|, 0 under the prior
    largest_variance_error   max_j |C_jj − 1|, 0 under the prior
    largest_correlation      max_{i≠j} |C_ij| / sqrt(C_ii C_jj), 0 under the prior; also 0 for a single
                             latent, and for a latent that never varies

Deterministic codes (σ = 0) have no density: the divergence is +inf. The gaussian part is +inf if C is
singular.

M. D. Hoffman, M. J. Johnson, "ELBO surgery: yet another way to carve up the variational evidence lower
bound", NIPS workshop, 2016. The gaussian part is the Pythagorean identity of information geometry: KL(q ‖ p)
= KL(q ‖ g) + KL(g ‖ p), for g the Gaussian with the moments of q, since ln g − ln p is quadratic.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics import average_kl, posterior

__all__ = ["aggregate_posterior"]

TITLE = "Divergence of the aggregate posterior from the prior"
UNIT = "nats"
HIGHER_IS_BETTER = False
RANGE = (0.0, math.inf)
STANDARD_NORMAL = True
BLIND_TO = "Whether the codes say anything: an encoder that ignores its image matches the prior perfectly."
COST = "O(draws · components · L)."


def aggregate_posterior(
    mean: ArrayLike,
    std: ArrayLike,
    rng: np.random.Generator,
    *,
    draws: int = average_kl.DRAWS,
    components: int = average_kl.COMPONENTS,
) -> dict[str, float]:
    """Posterior mean and standard deviation [N, L] -> {"aggregate_posterior", "aggregate_posterior_gaussian"}
    in nats, and {"aggregate_posterior_largest_mean", "aggregate_posterior_largest_variance_error",
    "aggregate_posterior_largest_correlation"}.

    draws: points drawn from the aggregate posterior. components: images that make the mixture; if there are
    more images, this number is drawn. Raises ValueError on negative σ, on shapes that differ, on settings
    below 1, on NaN or infinity.
    """
    mu, sigma = posterior.checked(mean, std)
    terms = average_kl.terms(mu, sigma, rng, draws=draws, components=components)
    m = mu.mean(axis=0, dtype=np.float64)
    centred = mu - m
    covariance = centred.T @ centred / len(mu) + np.diag(np.square(sigma, dtype=np.float64).mean(axis=0))
    return {
        "aggregate_posterior": max(0.0, terms.total_correlation + terms.dimension_wise_kl),
        "aggregate_posterior_gaussian": _gaussian(m, covariance),
        "aggregate_posterior_largest_mean": float(np.abs(m).max()),
        "aggregate_posterior_largest_variance_error": float(np.abs(np.diag(covariance) - 1).max()),
        "aggregate_posterior_largest_correlation": _largest_correlation(covariance),
    }


def _gaussian(m: NDArray[np.float64], covariance: NDArray[np.float64]) -> float:
    """KL( N(m, C) ‖ N(0, I) ); +inf where C is singular."""
    sign, log_determinant = np.linalg.slogdet(covariance)
    if sign <= 0:
        return math.inf
    return max(0.0, float(0.5 * (np.trace(covariance) + m @ m - len(m) - log_determinant)))


def _largest_correlation(covariance: NDArray[np.float64]) -> float:
    spread = np.sqrt(np.diag(covariance))
    moves = spread > 0
    if moves.sum() < 2:
        return 0.0
    kept, spread = covariance[np.ix_(moves, moves)], spread[moves]
    correlation = np.abs(kept / spread / spread[:, None])
    np.fill_diagonal(correlation, 0)
    return float(min(1.0, correlation.max()))

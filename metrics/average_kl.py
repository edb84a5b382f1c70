"""The average KL of the posteriors from the prior as three terms, with the aggregate posterior.

    1/M Σ_n KL( q(z | n) ‖ p(z) )  =  I(n; z)  +  KL( q(z) ‖ Π_j q(z_j) )  +  Σ_j KL( q(z_j) ‖ p(z_j) )
       rate of the M images      index-code MI      total correlation           dimension-wise KL

q(z | n)   Π_j N( z_j; μ_nj, σ_nj² ), the posterior of image n; μ, σ [N, L]
q(z)       1/M Σ_n q(z | n), the aggregate posterior: a mixture of M Gaussians
q(z_j)     1/M Σ_n N( z_j; μ_nj, σ_nj² ), its marginals
p(z)       N(0, I), the prior

The last two terms together are KL( q(z) ‖ p(z) ). All are in nats.

The densities of the mixtures are exact. The expectations over z ~ q(z) are means over S draws, which use the
rows in turn. Two quantities whose expectation has a closed form, ln q(z | n) and ln p(z), serve as control
variates: the terms are regressed on them, and the regression is evaluated at the known expectations. That
reduces the noise to half or less, and makes the three terms add up to the rate of the M images, to rounding.

**Bias.** M = N, unless N exceeds `components`: then M rows are drawn. For those M images the estimates have
no bias (except O(1/S) from the regression). For more images, the N rows or all images that the data could
hold, they are biased by the point's own component, which has weight 1/M and should have less. So I is too
small, and is at most ln M whatever the encoder does. KL( q(z) ‖ p(z) ) is too large by the same amount, since
the rate is not biased. The amount is at most ln (N/M) for N rows. Read a value of I within a nat of ln M as
"at least about that"; KL( q(z) ‖ p(z) ) is then little more than rate − ln M.

**σ = 0.** A deterministic code is a point without a density. I and the total correlation are defined by the
ratios of probabilities at these points, and are computed in that way (I = ln M if all codes differ). The
dimension-wise KL is +inf.

M. D. Hoffman, M. J. Johnson, "ELBO surgery: yet another way to carve up the variational evidence lower
bound", NIPS workshop, 2016: rate = I + KL( q(z) ‖ p(z) ). R. T. Q. Chen, X. Li, R. Grosse, D. Duvenaud,
"Isolating Sources of Disentanglement in Variational Autoencoders", 2018, arXiv:1802.04942: all three terms.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from metrics import arrays

__all__ = ["COMPONENTS", "DRAWS", "Terms", "terms"]

DRAWS = 2_000
COMPONENTS = 10_000
_BLOCK = 2**16  # densities at a time: half a MiB, so that they stay in cache from one operation to the next


class Terms(NamedTuple):
    """Nats. They are estimates: a term whose true value is 0 may be slightly negative."""

    mutual_information: float
    total_correlation: float
    dimension_wise_kl: float


def terms(
    mu: NDArray[Any], sigma: NDArray[Any], rng: np.random.Generator, *, draws: int, components: int
) -> Terms:
    """μ and σ [N, L], checked -> the three terms, estimated from `draws` points.

    components: the number of rows that make the mixture; all rows if there are no more. Raises ValueError on
    settings below 1 and on an rng that is no Generator.
    """
    rng = arrays.generator(rng)
    draws = arrays.whole("draws", draws, 1, f"the default is {DRAWS:,}")
    components = arrays.whole("components", components, 1, f"the default is {COMPONENTS:,}")
    chosen: Any = slice(None) if len(mu) <= components else rng.choice(len(mu), components, replace=False)
    mu, sigma = mu[chosen].astype(np.float64), sigma[chosen].astype(np.float64)
    sigma[sigma < np.finfo(np.float64).tiny] = 0  # its inverse would overflow
    rows = np.resize(rng.permutation(len(mu)), draws)  # in turn
    step = sigma[rows] * rng.standard_normal((draws, mu.shape[1]))

    own, joint, marginals = _log_densities(rows, step, mu, sigma)
    prior = -0.5 * np.square(mu[rows] + step).sum(axis=1)
    found = np.stack([own - joint, joint - marginals, marginals - prior], axis=1)
    average = found.mean(axis=0)
    if not sigma.all():
        return Terms(float(average[0]), float(average[1]), math.inf)
    controls = np.stack([own, prior], axis=1)
    known = [
        (-np.log(sigma) - 0.5).sum(axis=1).mean(),
        -0.5 * (np.square(mu) + np.square(sigma)).sum(axis=1).mean(),
    ]
    centre = controls.mean(axis=0)
    slope = np.linalg.lstsq(controls - centre, found - average, rcond=None)[0]
    return Terms(*map(float, average + (known - centre) @ slope))


def _log_densities(
    rows: NDArray[np.intp], step: NDArray[np.float64], mu: NDArray[np.float64], sigma: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Points μ[rows] + step [S, L] -> ln q(z | n) of n = rows, ln q(z) and Σ_j ln q(z_j), each [S].

    All lack their −½ L ln 2π. It cancels in differences of two of them, and of one of them and ln p(z).
    """
    point = sigma.T == 0  # [L, M], a row per latent from here on
    scale = np.where(point, 0, math.sqrt(0.5) / np.where(point, 1, sigma.T))
    height = np.where(point, -np.inf, -np.log(np.where(point, 1, sigma.T)))
    centre = np.ascontiguousarray(mu.T)
    own, joint, marginals = np.zeros(len(rows)), np.empty(len(rows)), np.zeros(len(rows))
    size = max(1, _BLOCK // len(mu))
    with np.errstate(over="ignore"):  # a distance of 1e15 in units of 1e-300 is infinite, and its density 0
        for start in range(0, len(rows), size):
            block = slice(start, start + size)
            drawn = rows[block]
            together = np.zeros((len(drawn), len(mu)))
            for j, away in enumerate(step[block].T):
                # Means first: a step from the own mean is then exact, even one too small to be added to it.
                density = centre[j, drawn, None] - centre[j]
                density += away[:, None]
                density *= scale[j]
                np.subtract(height[j], np.square(density, out=density), out=density)
                on_point = point[j, drawn]
                if on_point.any():  # there, only components that are the same point have any weight
                    same = point[j] & (centre[j, drawn[on_point], None] == centre[j])
                    density[on_point] = np.where(same, 0, -np.inf)
                own[block] += density[np.arange(len(drawn)), drawn]
                together += density
                marginals[block] += _log_mean_exp(density)
            joint[block] = _log_mean_exp(together)
    return own, joint, marginals


def _log_mean_exp(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms [S, M], some of each row finite -> ln of their mean exponential [S]. Overwrites them."""
    largest = logs.max(axis=1, keepdims=True)
    logs -= largest
    mean = np.exp(logs, out=logs).mean(axis=1)
    result: NDArray[np.float64] = np.log(mean) + largest[:, 0]
    return result

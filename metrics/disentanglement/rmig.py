"""Robust mutual information gap: the gap of `mig`, for codes with the noise of the encoder.

    RMIG      = mean over k of RMIG_k
    RMIG_k    = ( I(z_(1); v_k) − I(z_(2); v_k) ) / H(v_k)
    p(b, v_k) = 1/N Σ_n q(z_j in bin b | x_n) [ v_nk = v_k ],        q(z_j | x_n) = N( μ_nj, σ_nj² )

z_(1), z_(2)   the two latents with the most information about factor v_k, of factors [N, K]; if L = 1 the
               runner-up has none
μ, σ           mean and standard deviation of the encoder's Gaussian [N, L]
I, H           mutual information and entropy in nats, of the table p; each latent is cut into 20 bins

Differences from `mig`. There the code of an image is one number, its mean, and the table p counts images.
Here it is a Gaussian that spreads over the bins, so only information that survives the encoder's own noise
counts: a latent whose means differ by less than its σ has little, though its means may have all. The bins are
the same, equally wide between the smallest and the largest mean, but the outer two extend to ±∞ so that no
mass is lost. For σ = 0 the two metrics agree exactly. The gap of R. T. Q. Chen et al., 2018
(arXiv:1802.04942) is of drawn codes as well, but assumes that p(x | v_k) is uniform over all combinations of
the other factors, which is known in a synthetic grid only. "Robust" means that p(b, v_k) needs labelled
images alone. On a full grid the two are estimates of one number.

Differences from the authors' code (github.com/clarken92/DisentanglementMetrics). That code cuts [−4, 4] into
100 or 200 bins and uses the density at a bin's centre as its mass, renormalised. Here the mass is exact, and
the bins follow the means, whatever their scale. RMIG_k is their normalised variant; `rmig_raw` is in nats,
before the division.

A pure number between 0 and 1; higher is better. It reaches 1 only if σ is far narrower than a bin.

K. Do, T. Tran, "Theory and Evaluation Metrics for Learning Disentangled Representations", 2020,
arXiv:1908.09961.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from scipy.special import ndtr

from metrics import arrays, information, posterior

__all__ = ["rmig"]

TITLE = "Robust mutual information gap"
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
BLIND_TO = (
    "Information that further latents share beyond the second best, and a latent that carries several "
    "factors, like the mutual information gap."
)
COST = (
    "O(N·L·(bins + K)): the Gaussian distribution function at every bin's edge, for every image and latent."
)

_CHUNK = 2**12  # images at a time: 6 MiB at ten latents and 20 bins


def rmig(mean: ArrayLike, std: ArrayLike, factors: ArrayLike, *, bins: int = 20) -> dict[str, float]:
    """Posterior mean, std [N, L], factors [N, K] -> {"rmig", "rmig_raw": nats, "rmig_<k>" for every factor k
    that varies}.

    A latent with a constant mean counts as having no information, whatever its std. A factor with one value
    is left out. Raises ValueError when no factor varies, on fewer than 2 rows or bins, on a negative std, on
    NaN or infinity.
    """
    mu, sigma = posterior.checked(mean, std, rows=2)
    v = arrays.integers("factors", factors, "N, K")
    arrays.same_rows(mean=mu, factors=v)
    bins = arrays.whole("bins", bins, 2, "mig uses 20")
    kept, values, sizes = information.varying_factors(v)

    limits = [information.edges(np.ascontiguousarray(latent), bins) for latent in mu.T]
    known = np.zeros((mu.shape[1], len(kept)))
    live = [j for j, limit in enumerate(limits) if limit is not None]
    if live:
        inner = np.stack([limit[1:-1] for limit in limits if limit is not None])  # [L', bins − 1]
        tables = _tables(mu[:, live], sigma[:, live], inner, values, sizes)
        known[live] = np.stack([information.mutual_informations(table) for table in tables], axis=1)
    entropies = np.array([information.entropy(np.bincount(value)) for value in values])
    gaps = information.leads(known, axis=0)
    return {"rmig": float((gaps / entropies).mean()), "rmig_raw": float(gaps.mean())} | {
        f"rmig_{k}": float(gap) for k, gap in zip(kept, gaps / entropies, strict=True)
    }


def _tables(
    mu: NDArray[Any],
    sigma: NDArray[Any],
    inner: NDArray[Any],
    values: list[NDArray[np.intp]],
    sizes: list[int],
) -> list[NDArray[np.float64]]:
    """Expected counts [L, bins, V] for each factor, of latents [N, L] cut at `inner` edges [L, bins − 1]."""
    (n, latents), cuts = mu.shape, inner.shape[1]
    offsets = np.cumsum([0, *sizes])
    rows = np.stack(values) + offsets[:-1, None]  # each factor's values apart from the next one's [K, N]
    below = np.zeros((offsets[-1], latents * cuts))  # Σ of P(z < edge | x_n) over the images with a value
    for start in range(0, n, _CHUNK):
        chunk = slice(start, min(start + _CHUNK, n))
        mine = rows[:, chunk]
        images = np.broadcast_to(np.arange(mine.shape[1]), mine.shape)
        choose = csr_matrix(
            (np.ones(mine.size), (mine.ravel(), images.ravel())), shape=(len(below), mine.shape[1])
        )
        below += choose @ _below(mu[chunk], sigma[chunk], inner).reshape(mine.shape[1], -1)
    found = []
    for value, (start, stop) in zip(values, pairwise(offsets), strict=True):
        cumulative = np.empty((stop - start, latents, cuts + 2))
        cumulative[..., 0] = 0
        cumulative[..., 1:-1] = below[start:stop].reshape(-1, latents, cuts)
        cumulative[..., -1] = np.bincount(value)[:, None]
        mass = np.maximum(np.diff(cumulative, axis=-1), 0.0)  # sums of numbers ≤ 1 may round to −1e-13
        found.append(mass.transpose(1, 2, 0))
    return found


def _below(mu: NDArray[Any], sigma: NDArray[Any], inner: NDArray[Any]) -> NDArray[np.float64]:
    """P(z_j < edge | x_n) for each edge [L, cuts] -> [N, L, cuts]; if σ is 0, 1 for means below the edge."""
    distance = inner.astype(np.float64) - mu[..., None]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        distance /= sigma[..., None]
    # 0/0 is a mean on an edge, which belongs to the bin above it, as it does in `mig`
    return np.where(np.isnan(distance), 0.0, ndtr(distance))

"""The Gaussian posterior of every image, and its KL from the prior N(0, I).

    q(z | x_n) = Π_j N( z_j; μ_nj, σ_nj² )
    KL( N(μ, σ²) ‖ N(0, 1) ) = ½ ( μ² + σ² − 1 − ln σ² )        nats; +inf if σ = 0

μ, σ     mean and standard deviation [N, L]
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics import arrays

__all__ = ["checked", "rates"]


def checked(
    mean: ArrayLike, std: ArrayLike, *, rows: int = 1, peers: bool = False
) -> tuple[NDArray[Any], NDArray[Any]]:
    """μ and σ [N, L], N ≥ rows; or of peers, as `peer_mean` and `peer_std` [P, N, L].

    Raises ValueError on negative σ, on shapes that differ, on NaN or infinity.
    """
    prefix, axes = ("peer_", "P, N, L") if peers else ("", "N, L")
    mu = arrays.real(f"{prefix}mean", mean, axes, rows=rows)
    sigma = arrays.real(f"{prefix}std", std, axes)
    if mu.shape != sigma.shape:
        raise ValueError(
            f"{prefix}std: expected the shape of {prefix}mean {list(mu.shape)}, got {list(sigma.shape)}; "
            "pass both per latent"
        )
    if sigma.min() < 0:
        raise ValueError(
            f"{prefix}std: expected standard deviations ≥ 0, found {sigma.min():g}; "
            "not a log-variance, by any chance?"
        )
    return mu, sigma


def rates(mu: NDArray[Any], sigma: NDArray[Any]) -> NDArray[np.float64]:
    """μ and σ [..., L] -> KL of each from the prior N(0, 1), in nats [..., L]; +inf if σ = 0."""
    squares = np.square(mu, dtype=np.float64) + np.square(sigma, dtype=np.float64)
    with np.errstate(divide="ignore"):  # ln 0 = −inf gives the rate +inf, as it should
        found: NDArray[np.float64] = 0.5 * (squares - 1 - 2 * np.log(sigma, dtype=np.float64))
    return found

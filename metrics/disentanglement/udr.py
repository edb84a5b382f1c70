"""Unsupervised disentanglement ranking: do models that differ in the seed alone find the same latents?

    UDR    = median over peers p of UDR_p
    UDR_p  = ½ ( mean over b of  max_a R_ab² / Σ_a R_ab   +   mean over a of  max_b R_ab² / Σ_b R_ab )

R      [L, L] ≥ 0, similarity of latent a of the peer and latent b of this model, both standardised to mean 0
       and variance 1:
           lasso       R_ab = |w_ab|,  w_·b = argmin_w  1/(2N) | z_b − Σ_a w_a z'_a |² + 0.1 Σ_a |w_a|
           spearman    R_ab = | rank correlation of z'_a and z_b |
a, b   run over the informative latents, those with mean KL( N(mean, std²) ‖ N(0, 1) ) > 0.01 nats
z      mean [N, L] of this model; z' = peer_mean [P, N, L] of one peer, on the same images

No ground truth is needed: disentangled models agree up to order and sign, entangled models do not. Higher is
better. With Spearman the score is between 0 and 1. With Lasso, identical models with uncorrelated latents
score 0.9, because the penalty reduces each weight by 0.1. A latent that resembles none, or is constant,
counts 0. A pair of models scores 0 if either has no informative latents.

S. Duan, L. Matthey, A. Saraiva, N. Watters, C. P. Burgess, A. Lerchner, I. Higgins, "Unsupervised Model
Selection for Variational Disentangled Representation Learning", 2020, arXiv:1905.12614. Equation and protocol
(penalty, threshold, this model's latents regressed on the peer's) are those of the code that its authors put
into disentanglement_lib. That code averages the two means. Divided by the joint number of latents instead,
the score would differ if one model has more informative latents than the other. The authors advise five peers
or more.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso

from metrics import arrays, posterior
from metrics.standardised import standardised

__all__ = ["udr"]

TITLE = "Unsupervised disentanglement ranking"
MAIN = "udr_lasso"
PARTS = ("udr_spearman",)
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, math.inf)
STANDARD_NORMAL = True
BLIND_TO = (
    "Whether what the seeds agree on is a factor of the data: a wrong but repeatable solution scores high, "
    "and so does a model that has found one factor out of many."
)
COST = "O(P·N·L²) for the correlations, O(P·L³) per sweep of coordinate descent."

_TOLERANCE = 1e-10  # of the duality gap, as a share of the variance

Floats = NDArray[np.float64]


def udr(
    mean: ArrayLike,
    std: ArrayLike,
    peer_mean: ArrayLike,
    peer_std: ArrayLike,
    *,
    penalty: float = 0.1,
    kl_threshold: float = 0.01,
) -> dict[str, float]:
    """Means and standard deviations [N, L], those of P peers [P, N, L] -> {"udr_lasso", "udr_spearman"}.

    Raises ValueError when shapes differ, on a standard deviation below 0, fewer than 2 rows, a penalty that
    is not positive, a threshold below 0, on NaN or infinity.
    """
    mu, sigma = posterior.checked(mean, std, rows=2)
    peer_mu, peer_sigma = posterior.checked(peer_mean, peer_std, peers=True)
    if peer_mu.shape[1:] != mu.shape:
        raise ValueError(
            f"peer_mean: expected the shape of mean {list(mu.shape)} of each peer, "
            f"got {list(peer_mu.shape)}; peers differ in the seed alone, and encode the same images in the "
            "same order"
        )
    if not (math.isfinite(penalty) and penalty > 0):
        raise ValueError(f"penalty: expected a finite number > 0, got {penalty!r}; the protocol uses 0.1")
    kl_threshold = arrays.nonnegative("kl_threshold", kl_threshold, "nats", "the protocol uses 0.01")

    mine = posterior.rates(mu, sigma).mean(axis=0) > kl_threshold
    theirs = posterior.rates(peer_mu, peer_sigma).mean(axis=1) > kl_threshold
    z, others = standardised(mu), np.stack([standardised(peer) for peer in peer_mu])
    z, others = z * mine, others * theirs[:, None, :]
    similarity = {
        "lasso": np.abs([_lasso(peer, z, penalty) for peer in others]),
        "spearman": np.abs(_correlations(_ranks(others), _ranks(z))),
    }
    return {
        f"udr_{kind}": float(
            np.median([_relative_strength(R[a][:, mine]) for R, a in zip(found, theirs, strict=True)])
        )
        for kind, found in similarity.items()
    }


def _correlations(a: Floats, b: Floats) -> Floats:
    """Standardised [P, N, A] and [P, N, B] or [N, B] -> correlations [P, A, B]."""
    return np.swapaxes(a, -1, -2) @ b / a.shape[-2]


def _ranks(z: Floats) -> Floats:
    """Standardised ranks along N; equal values share their mean rank."""
    flat = rankdata(z, axis=-2)
    flat -= flat.mean(axis=-2, keepdims=True)
    deviation = flat.std(axis=-2, keepdims=True)
    return flat / np.where(deviation > 0, deviation, 1)


def _lasso(features: Floats, targets: Floats, penalty: float) -> Floats:
    """Standardised features [N, A] and targets [N, B] -> weights [A, B]."""
    model = Lasso(penalty, fit_intercept=False, precompute=True, tol=_TOLERANCE, random_state=0)
    with warnings.catch_warnings():
        # Near copies of one latent take more sweeps than the 1,000 of the default, and of the authors' code.
        warnings.simplefilter("ignore", ConvergenceWarning)
        weights = model.fit(features, targets).coef_
    return np.asarray(weights).reshape(targets.shape[1], -1).T


def _relative_strength(R: Floats) -> float:
    """Similarities [A, B] of informative latents -> by how much the best match of each stands out."""
    if not R.size:
        return 0.0
    parts = []
    for axis in (0, 1):
        total = R.sum(axis=axis)
        parts.append(float((R.max(axis=axis) ** 2 / np.where(total > 0, total, 1)).mean()))
    return (parts[0] + parts[1]) / 2

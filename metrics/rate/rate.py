"""Rate: the length of the codes in nats, measured against the model's own prior.

    rate      = 1/N Σ_n rate_n,        rate_g = 1/N Σ_n rate_per_group_ng
    rate_bits = rate / ln 2

rate_n            KL( q(z | x_n) ‖ p(z) ), or the length of a discrete code, nats, against the model's own
                  prior [N]
rate_per_group    the parts of rate_n [N, G], one per group: a latent, or a level of a hierarchy

For independent Gaussian latents and the prior N(0, I), rate_g = 1/N Σ_n ½ ( μ_ng² + σ_ng² − 1 − ln σ_ng² ).

Nats per image. A divergence is ≥ 0; if a model estimates it from samples, the mean may be negative by the
error of that estimate. Neither end is better: at equal quality of reconstruction less is better, and a code
with rate 0 carries no information. A deterministic code would need infinitely many nats: its rate is +inf.

D. P. Kingma, M. Welling, "Auto-Encoding Variational Bayes", 2013, arXiv:1312.6114. The name: A. A. Alemi,
B. Poole, I. Fischer, J. V. Dillon, R. A. Saurous, K. Murphy, "Fixing a Broken ELBO", 2018, arXiv:1711.00464.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from metrics import arrays

__all__ = ["rate"]

TITLE = "Rate"
UNIT = "nats"
HIGHER_IS_BETTER = None
RANGE = (0.0, math.inf)
BLIND_TO = "What the nats are about: noise that is encoded counts like signal."
COST = "O(N·G)."

_ROUNDING = 1e-4
"""Relative to the rate: nats in float32, added up over some latents."""


def rate(rate: ArrayLike, rate_per_group: ArrayLike) -> dict[str, float]:
    """Rate [N] and its groups [N, G], nats per image -> nats per image and, with `bits` in the key, bits per
    image:

    {"rate": in total, "rate_<g>": of group g, "rate_bits": in total, "rate_bits_<g>": of group g}

    +inf if a rate is +inf. Raises ValueError on different lengths, on groups that do not add up to the rate,
    on NaN.
    """
    total = arrays.per_image("rate", rate, infinite=True)
    groups = np.asarray(rate_per_group)
    if groups.ndim != 2 or 0 in groups.shape:
        raise ValueError(
            f"rate_per_group: expected nats [N, G], got {groups.dtype} {list(groups.shape)}; "
            "one row per image"
        )
    columns = [arrays.per_image("rate_per_group", column, infinite=True) for column in groups.T]
    arrays.same_rows(rate=total, rate_per_group=groups)
    summed = np.sum(columns, axis=0)
    finite = np.isfinite(total)
    off = np.abs(summed[finite] - total[finite]) > _ROUNDING * (1 + np.abs(groups[finite]).sum(axis=1))
    if (np.isfinite(summed) != finite).any() or off.any():
        raise ValueError(
            "rate_per_group: expected groups that add up to the rate of each image, and these do not"
        )
    found: dict[str, float] = {}
    for unit, nats in {"rate": 1.0, "rate_bits": math.log(2)}.items():
        found[unit] = float(total.mean() / nats)
        found |= {f"{unit}_{g}": float(column.mean() / nats) for g, column in enumerate(columns)}
    return found

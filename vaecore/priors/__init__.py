"""The prior p(z) = N(0, I): independent standard normal latents.

log p(z_l) = -½ (z_l² + log 2π)      z [..., L]; nats per latent [..., L]
"""

from __future__ import annotations

import math

from torch import Tensor

__all__ = ["standard_normal_log_prob"]


def standard_normal_log_prob(z: Tensor) -> Tensor:
    """log p(z_l) in nats for every latent: same shape as ``z``."""
    return -0.5 * (z.square() + math.log(2 * math.pi))

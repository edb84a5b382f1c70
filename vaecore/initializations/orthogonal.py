"""Orthogonal weights, scaled for ReLU, and zero biases: every singular value of a layer is the same.

    W [out, in k²] with W Wᵀ = 2 I (out ≤ in k²) or Wᵀ W = 2 I;    b = 0

A. M. Saxe, J. L. McClelland, S. Ganguli, Exact solutions to the nonlinear dynamics of learning in deep linear neural networks, 2014,
arXiv:1312.6120. The factor 2 makes up for the half that a ReLU lets through (K. He et al., 2015, arXiv:1502.01852).
"""

from __future__ import annotations

import math

from torch import nn

from vaecore.initializations import Initialization, Layer

__all__ = ["Orthogonal"]


class Orthogonal(Initialization):
    def fill(self, layer: Layer) -> None:
        nn.init.orthogonal_(layer.weight, gain=math.sqrt(2))
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)

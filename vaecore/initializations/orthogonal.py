"""Orthogonal weights, scaled for ReLU, and zero biases.

    W [out, in k²] with W Wᵀ = 2 I (out ≤ in k²) or Wᵀ W = 2 I;    b = 0

All singular values of a layer are equal. The factor 2 compensates for the half that a ReLU removes (He et al.
2015).

A. M. Saxe, J. L. McClelland, S. Ganguli, Exact solutions to the nonlinear dynamics of learning in deep linear
neural networks, 2014, arXiv:1312.6120.
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

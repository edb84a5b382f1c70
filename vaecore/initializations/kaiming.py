"""Kaiming uniform weights with PyTorch's biases.

    W ~ U(-a, a),  a = sqrt(6 / fan_in),  so Var W = 2 / fan_in;    b ~ U(-1 / sqrt(fan_in), 1 / sqrt(fan_in))

A ReLU halves the variance, and the factor 2 keeps it from layer to layer. With these biases it is the
initialization of disentangling-vae (Dubois et al. 2019), whose nets and logs
are public.

K. He, X. Zhang, S. Ren, J. Sun, Delving Deep into Rectifiers, 2015, arXiv:1502.01852.
"""

from __future__ import annotations

from torch import nn

from vaecore.initializations import Initialization, Layer

__all__ = ["Kaiming"]


class Kaiming(Initialization):
    def fill(self, layer: Layer) -> None:
        layer.reset_parameters()  # the bias is kept
        nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")

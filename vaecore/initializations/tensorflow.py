"""TensorFlow's defaults: Glorot uniform weights, zero biases.

    W ~ U(-a, a),  a = sqrt(6 / (fan_in + fan_out)),  so Var W = 2 / (fan_in + fan_out);    b = 0

The 12,600-model study was run in TensorFlow.

X. Glorot, Y. Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010,
AISTATS, https://proceedings.mlr.press/v9/glorot10a.html.
"""

from __future__ import annotations

from torch import nn

from vaecore.initializations import Initialization, Layer

__all__ = ["TensorFlow"]


class TensorFlow(Initialization):
    def fill(self, layer: Layer) -> None:
        nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)

"""PyTorch's defaults for nn.Linear and nn.Conv2d.

    W ~ U(-a, a),  b ~ U(-a, a),  a = 1 / sqrt(fan_in)

So Var W = Var b = 1 / (3 fan_in).
"""

from __future__ import annotations

from vaecore.initializations import Initialization, Layer

__all__ = ["PyTorch"]


class PyTorch(Initialization):
    def fill(self, layer: Layer) -> None:
        layer.reset_parameters()

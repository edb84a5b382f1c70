"""The network of the 12,600-model study.

    encoder    32 4×4/2, 32 4×4/2, 64 2×2/2, 64 2×2/2, 256, E           (there H = 64)
    decoder    256, 64·h·w, 64 4×4/2, 32 4×4/2, 32 4×4/2, C 4×4/2       (there h = w = 4)

The default initialization is ``tensorflow``: the study was run in TensorFlow.

F. Locatello, S. Bauer, M. Lucic, G. Rätsch, S. Gelly, B. Schölkopf, O. Bachem, Challenging Common Assumptions
in the Unsupervised Learning of Disentangled Representations, 2019, arXiv:1811.12359, table 1.
"""

from __future__ import annotations

from torch import nn

from vaecore.layers import pyramid_decoder, pyramid_encoder
from vaecore.networks import Network, Shape

__all__ = ["Conv"]


class Conv(Network):
    initialization = "tensorflow"

    def encoder(self, shape: Shape, outputs: int) -> nn.Sequential:
        return pyramid_encoder(shape, outputs, channels=(32, 32, 64, 64), kernels=(4, 4, 2, 2), widths=(256,))

    def decoder(self, latents: int, shape: Shape) -> nn.Sequential:
        return pyramid_decoder(latents, shape, widths=(256,), channels=(64, 64, 32, 32))

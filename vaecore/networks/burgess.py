"""The network of Burgess et al. 2018.

    encoder    4 times 32 4×4/2, 256, 256, E
    decoder    256, 256, 32·h·w, 3 times 32 4×4/2, C 4×4/2

The paper does not say how its weights were initialised. The default is ``kaiming``, as in disentangling-vae,
whose nets with these layers are public. With it, this network learns dSprites as fast as that repository's
logs show; with ``tensorflow`` it is an epoch behind (docs/initializations.md).

C. P. Burgess, I. Higgins, A. Pal, L. Matthey, N. Watters, G. Desjardins, A. Lerchner, Understanding
disentangling in β-VAE, 2018, arXiv:1804.03599.
"""

from __future__ import annotations

from torch import nn

from vaecore.layers import pyramid_decoder, pyramid_encoder
from vaecore.networks import Network, Shape

__all__ = ["Burgess"]


class Burgess(Network):
    initialization = "kaiming"

    def encoder(self, shape: Shape, outputs: int) -> nn.Sequential:
        return pyramid_encoder(shape, outputs, channels=(32,) * 4, kernels=(4,) * 4, widths=(256, 256))

    def decoder(self, latents: int, shape: Shape) -> nn.Sequential:
        return pyramid_decoder(latents, shape, widths=(256, 256), channels=(32,) * 4)

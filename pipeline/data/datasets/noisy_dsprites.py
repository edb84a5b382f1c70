"""Noisy-dSprites: dSprites on noise that is drawn anew each time an image is drawn.

    x = min(m + u, 1),   m the binary image,   u ~ U(0, 1) of every pixel and channel

Only the binary images are stored; ``vaecore.nuisances`` adds the noise when they are drawn. An evaluation
draws each image once, and always with the same noise.

F. Locatello, S. Bauer, M. Lucic, G. Rätsch, S. Gelly, B. Schölkopf, O. Bachem, "Challenging Common
Assumptions in the Unsupervised Learning of Disentangled Representations", 2019, arXiv:1811.12359.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.data.arrays.dataset import Prepared
from pipeline.data.shared import dsprites
from pipeline.data.shared.dsprites import DspritesOptions, fetch

__all__ = ["ABOUT", "Options", "fetch", "prepare"]

ABOUT = dsprites.variant(
    "Noisy-dSprites",
    "dSprites, 64×64×3, white sprites on colour noise, drawn anew each time: a nuisance that no factor "
    "describes.",
)


class Options(DspritesOptions):
    """``datasets.noisy_dsprites`` in params.yaml: the keys of dsprites."""


def prepare(options: Options, folder: Path) -> Prepared:
    """The images of dsprites, to be put on noise each time they are drawn."""
    return dsprites.coloured(dsprites.prepare(options, folder), "noise")

"""Colour-dSprites: dSprites in a colour that is drawn anew each time an image is drawn.

    x = m c,   m the binary image,   c ~ U(½, 1)³

Only the binary images are stored; ``vaecore.nuisances`` adds the colour when they are drawn. An evaluation
draws each image once, and always with the same colour.

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
    "Colour-dSprites",
    "dSprites, 64×64×3, each image in a colour of its own, drawn anew each time: a nuisance that no factor "
    "describes.",
)


class Options(DspritesOptions):
    """``datasets.color_dsprites`` in params.yaml: the keys of dsprites."""


def prepare(options: Options, folder: Path) -> Prepared:
    """The images of dsprites, to be coloured each time they are drawn."""
    return dsprites.coloured(dsprites.prepare(options, folder), "colour")

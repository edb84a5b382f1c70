"""Colour-dSprites: dSprites in a colour that is drawn anew each time an image is looked at.

    x = m c,   m the binary image,   c ~ U(½, 1)³

Stored are the binary images alone; ``vaecore.nuisances`` dresses them as they are drawn. Where images are looked at once, as in
evaluation, the colour of each is always the same.

F. Locatello, S. Bauer, M. Lucic, G. Rätsch, S. Gelly, B. Schölkopf, O. Bachem, "Challenging Common Assumptions in the
Unsupervised Learning of Disentangled Representations", 2019, arXiv:1811.12359.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.data.arrays.dataset import Prepared
from pipeline.data.datasets import dsprites

__all__ = ["ABOUT", "Options", "fetch", "prepare"]

ABOUT = replace(
    dsprites.ABOUT,
    title="Colour-dSprites",
    what="dSprites, 64×64×3, each image in a colour of its own, drawn anew each time: a nuisance that no factor tells of.",
    citation=f"{dsprites.ABOUT.citation}; as in F. Locatello et al., Challenging Common Assumptions in the Unsupervised Learning "
    "of Disentangled Representations, 2019, arXiv:1811.12359",
)


class Options(dsprites.Options):
    """``datasets.color_dsprites`` in params.yaml: those of dsprites."""


def fetch(options: Options, folder: Path) -> None:
    """As for dsprites, of which these are made."""
    dsprites.fetch(options, folder)


def prepare(options: Options, folder: Path) -> Prepared:
    """The images of dsprites, to be coloured when they are drawn."""
    plain = dsprites.prepare(options, folder)
    return replace(plain, shape=(3, *plain.shape[1:]), nuisance="colour")

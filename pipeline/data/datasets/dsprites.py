"""dSprites: 737,280 binary 64×64 images of a sprite, every combination of five factors once.

    factor       values   meaning
    shape             3   square, ellipse, heart
    scale             6   0.5, 0.6, ... 1
    orientation      40   2π o / 39: the last equals the first
    pos_x, pos_y     32   from left to right, from top to bottom

The published sixth factor, colour, has one value and is left out. ``source: drawn`` draws the images from
their geometry (``pipeline/data/shared/sprites.py``) and needs no network; ``source: official`` downloads the
published file and reads it in its own layout. The two differ in a few pixels of three billion.

Loic Matthey, Irina Higgins, Demis Hassabis, Alexander Lerchner, "dSprites: Disentanglement testing Sprites
dataset", 2017, https://github.com/google-deepmind/dsprites-dataset (Apache License 2.0).
"""

from __future__ import annotations

from pipeline.data.shared.dsprites import ABOUT, DspritesOptions, fetch, prepare

__all__ = ["ABOUT", "Options", "fetch", "prepare"]


class Options(DspritesOptions):
    """``datasets.dsprites`` in params.yaml."""

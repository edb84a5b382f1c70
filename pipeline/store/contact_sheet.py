"""One picture of many images: strips of images below each other, as a PNG.

Nothing is smoothed: a small image is enlarged by a whole factor, each pixel to a square.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

__all__ = ["png", "sheet"]

SIDE = 64
"""Least number of pixels along the longer side of an image on the page."""
GAP = 2
PAPER = 255


def sheet(strips: Sequence[np.ndarray]) -> np.ndarray:
    """Strips of images [n, C, H, W] in [0, 1], clipped, as one page, uint8 [height, width, C]."""
    _, C, H, W = strips[0].shape
    zoom = max(1, math.ceil(SIDE / max(H, W)))
    height, width = H * zoom, W * zoom
    columns = max(len(strip) for strip in strips)
    page = np.full(
        (len(strips) * (height + GAP) + GAP, columns * (width + GAP) + GAP, C), PAPER, dtype=np.uint8
    )
    for i, strip in enumerate(strips):
        pixels = np.round(np.clip(strip, 0, 1) * 255).astype(np.uint8).transpose(0, 2, 3, 1)
        for j, image in enumerate(pixels.repeat(zoom, axis=1).repeat(zoom, axis=2)):
            top, left = GAP + i * (height + GAP), GAP + j * (width + GAP)
            page[top : top + height, left : left + width] = image
    return page


def png(pixels: np.ndarray) -> bytes:
    """The bytes of a PNG file with these pixels, uint8 [height, width, C]."""
    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(
        file, format="PNG", optimize=True
    )
    return file.getvalue()

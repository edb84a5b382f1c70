"""Images in an array of the user's own: the meaning of its axes and values, and the blocks that are stored.

[N, H, W], [N, H, W, C] or [N, C, H, W],  C = 1 or 3 (red, green, blue)

uint8                             0 black to 255 white, stored as they are
bool, or uint8 of only 0 and 1    binary, 1 white, stored bit-packed
float                             0 black to 1 white, stored as floor(255 x + 1/2)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pipeline.data.arrays.shrink import shrink
from pipeline.data.files.array_file import Array, wrong

__all__ = ["ImageArray", "blocks", "is_binary", "layout", "value_range"]

CHANNELS = (1, 3)


@dataclass(frozen=True)
class ImageArray:
    """An array of images, not read yet, and its layout."""

    array: Array
    shape: tuple[int, int, int]
    """(C, H, W) in the file."""
    last: bool
    """Whether channels are on the last axis."""


def layout(array: Array, channels: Literal["auto", "first", "last"]) -> ImageArray:
    """Find the axes N, C, H and W.

    Args:
        channels: the axis of the channels; auto: the one of length 1 or 3.

    Raises:
        UserError: the array has no images, or its axes are ambiguous.
    """
    shape, found = array.shape, f"{array.dtype} {list(array.shape)}"
    if len(shape) not in (3, 4):
        wrong(array, f"{found}; images are [N, H, W], [N, H, W, C] or [N, C, H, W]. Reshape it.")
    if 0 in shape:
        wrong(array, f"{found}; there are no images in it. Save some.")
    if len(shape) == 3:
        return ImageArray(array, (1, *shape[1:]), last=False)
    first, last = shape[1] in CHANNELS, shape[3] in CHANNELS
    if channels != "auto":
        first, last = first and channels == "first", last and channels == "last"
    if first and last:
        wrong(array, f"{found}; axis 1 or axis 3 may be the channels. Set `channels` to first or last.")
    if not first and not last:
        axis = {"auto": "1 or axis 3", "first": "1", "last": "3"}[channels]
        wrong(
            array,
            f"{found}; axis {axis} should be the channels: 1 (grey) or 3 (red, green, blue). "
            "Leave out others, such as transparency.",
        )
    C, H, W = shape[1:] if first else (shape[3], shape[1], shape[2])
    return ImageArray(array, (C, H, W), last=last)


def value_range(array: Array) -> dict[str, float]:
    """The lowest and the highest value, in one pass."""
    if array.dtype.kind not in "biuf":
        wrong(array, f"is {array.dtype}; images are uint8, bool or float. Save it as one of these.")
    lowest, highest, start = math.inf, -math.inf, 0
    for block in array.blocks():
        if array.dtype.kind == "f" and np.isnan(block).any():
            row = start + int(np.isnan(block).reshape(len(block), -1).any(axis=1).argmax())
            wrong(array, f"image {row} (counted from 0) has NaN in it. Repair it or leave it out.")
        lowest, highest = min(lowest, float(block.min())), max(highest, float(block.max()))
        start += len(block)
    return {"lowest": lowest, "highest": highest}


def is_binary(array: Array, found: dict[str, Any]) -> bool:
    """Whether the images have the values 0 and 1 only. Raises UserError for values out of range."""
    lowest, highest = found["lowest"], found["highest"]
    dtype, values = array.dtype, f"{array.dtype} from {lowest:.9g} to {highest:.9g}"
    if dtype.kind == "f":
        if lowest < 0 or highest > 1:
            if 1 < highest <= 255 and lowest >= 0:
                cure = "Divide by 255, or save as uint8."
            elif lowest >= -1 and highest <= 1:
                cure = "If -1 is black, save (images + 1) / 2."
            else:
                cure = "Scale them, all by the same rule."
            wrong(array, f"{values}; as float, images go from 0 (black) to 1 (white). {cure}")
        brightest = math.floor(255 * highest + 0.5)
    elif dtype not in (np.uint8, np.bool_):
        cure = (
            "Save images.astype(numpy.uint8)." if 0 <= lowest <= highest <= 255 else "Scale them to 0 to 255."
        )
        wrong(array, f"{values}; images are uint8 from 0 to 255, bool, or float from 0 to 1. {cure}")
    else:
        brightest = int(highest)
    binary = dtype.kind in "bu" and brightest <= 1
    if brightest == 0 or (brightest == 1 and not binary):
        wrong(array, f"{values}: all images are black. Scale them.")
    return binary


def blocks(images: ImageArray, side: int, binary: bool) -> Iterator[np.ndarray]:
    """uint8 [n, C, side, side], or bit-packed rows, some megabytes at a time."""
    C, height, width = images.shape
    for block in images.array.blocks():
        if images.last:
            block = np.moveaxis(block, -1, 1)
        block = block.reshape(len(block), C, height, width)
        if binary and side == height:
            yield np.packbits(block.reshape(len(block), -1), axis=1)
            continue
        if binary:
            block = 255 * block.astype(np.uint8)
        elif block.dtype.kind == "f":
            block = np.floor(255 * block.astype(np.float64) + 0.5).astype(np.uint8)
        yield shrink(block, side)

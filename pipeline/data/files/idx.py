"""Arrays of bytes in gzipped IDX files, the format of MNIST and its successors, read in blocks.

    bytes 0 to 3         0, 0, type, K             type 0x08: unsigned bytes; K: number of dimensions
    4 to 3 + 4 K         n_1 .. n_K                32 bits each, big-endian
    the rest             n_1 ... n_K values        the last index fastest

So a file of images [N, H, W] begins with 0x00000803, and one of labels [N] with 0x00000801.
(Described by Yann LeCun, Corinna Cortes, Christopher Burges, http://yann.lecun.com/exdb/mnist/)
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from pipeline.data.files.damage import damage
from pipeline.store import npy

__all__ = ["blocks"]

UNSIGNED_BYTES = 0x0800
CURE = "Remove it and fetch it again; if it is the official one, please report this."


def blocks(path: Path, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """The array uint8 of exactly this shape in a gzipped IDX file, some megabytes of rows at a time.

    Raises:
        UserError: it is no such file, has another shape, ends early, goes on after its end, or is damaged.
    """
    with damage(f"{path} is not the gzipped IDX file that it should be", CURE), gzip.open(path) as opened:
        file = cast(BinaryIO, opened)
        _check_header(file, shape)
        yield from npy.blocks(file, shape, np.dtype(np.uint8))
        if file.read(1):  # at the end of the file, gzip compares its checksum
            raise ValueError("it goes on after the last value")


def _check_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """Read the header. Raises ValueError if it is that of another array."""
    magic = file.read(4)
    expected = UNSIGNED_BYTES | len(shape)
    if magic != struct.pack(">I", expected):
        raise ValueError(
            f"it begins with 0x{magic.hex() or '?'}, expected 0x{expected:08x} "
            f"(unsigned bytes, dimensions: {len(shape)})"
        )
    sizes = file.read(4 * len(shape))
    if len(sizes) < 4 * len(shape):
        raise ValueError("it ends within its header")
    found = struct.unpack(f">{len(shape)}I", sizes)
    if found != shape:
        raise ValueError(f"its header says {list(found)}, expected {list(shape)}")

"""Arrays of bytes in the IDX format, gzipped, read in blocks: the format of MNIST and of what is made like it.

    bytes 0 to 3         0, 0, type, K             type 0x08: unsigned bytes; K: number of dimensions
    4 to 3 + 4 K         n_1 .. n_K                32 bits each, big-endian
    the rest             n_1 ... n_K values        the last index fastest

So images [N, H, W] begin with 0x00000803 and labels [N] with 0x00000801.
(Described by Yann LeCun, Corinna Cortes, Christopher Burges, http://yann.lecun.com/exdb/mnist/)
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from pipeline.errors import UserError
from pipeline.store import npy

__all__ = ["blocks"]

UNSIGNED_BYTES = 0x0800


def blocks(path: Path, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """The array uint8 of exactly this shape in a gzipped IDX file, some megabytes of its first axis at a time.

    Raises:
        UserError: it is no such file, holds another shape, ends early, goes on after its end, or is damaged.
    """
    try:
        with gzip.open(path) as opened:
            file = cast(BinaryIO, opened)
            _check_header(file, shape)
            yield from npy.blocks(file, shape, np.dtype(np.uint8))
            if file.read(1):  # which also has gzip compare its checksum
                raise ValueError("it goes on after the last value")
    except (EOFError, gzip.BadGzipFile, zlib.error, ValueError) as error:
        raise UserError(
            f"{path} is not the gzipped IDX file that is expected: {error}. "
            "Remove it and fetch it again; if it is the official one, please report this."
        ) from error


def _check_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """Read the header. Raises ValueError where it is that of another array."""
    magic = file.read(4)
    expected = UNSIGNED_BYTES | len(shape)
    if magic != struct.pack(">I", expected):
        raise ValueError(
            f"it begins with 0x{magic.hex() or '?'}, not 0x{expected:08x} (unsigned bytes, dimensions: {len(shape)})"
        )
    sizes = file.read(4 * len(shape))
    if len(sizes) < 4 * len(shape):
        raise ValueError("it ends within its header")
    found = struct.unpack(f">{len(shape)}I", sizes)
    if found != shape:
        raise ValueError(f"its header says {list(found)}, expected {list(shape)}")

"""Read and write arrays in numpy's .npy format in blocks, so that an array may be larger than the memory.

    magic "\\x93NUMPY", version, length of the header, header {descr, fortran_order, shape}, then the bytes

A .npz file is a zip archive of .npy files. Its members can be read while they are decompressed.
(numpy.lib.format; NEP 1, https://numpy.org/neps/nep-0001-npy-format.html)
"""

from __future__ import annotations

import struct
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

__all__ = ["blocks", "header", "pieces", "save"]

BLOCK = 8 << 20
"""Bytes that are read at a time, approximately."""


def header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of the array whose bytes follow.

    Raises:
        ValueError: the array is not in C order, or holds other than plain numbers.
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, fortran, dtype = read(file)
    except (tokenize.TokenError, SyntaxError, struct.error) as error:
        raise ValueError(f"its header is damaged: {error}") from error
    if fortran and len(shape) > 1:
        raise ValueError("it is stored in Fortran order: save it with numpy.ascontiguousarray first")
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are not opened: save an array of numbers")
    return shape, dtype


def blocks(
    file: BinaryIO, shape: tuple[int, ...], dtype: np.dtype, rows: int | None = None
) -> Iterator[np.ndarray]:
    """The array whose bytes follow, ``rows`` of its first axis at a time (by default some megabytes of them).

    Raises:
        ValueError: it ends early.
    """
    size = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
    rows = rows or max(1, BLOCK // max(size, 1))
    for start in range(0, shape[0], rows):
        n = min(rows, shape[0] - start)
        content = file.read(n * size)
        if len(content) < n * size:
            raise ValueError(f"the array ends within rows {start} to {start + n - 1} of {shape[0]}")
        yield np.frombuffer(content, dtype=dtype).reshape(n, *shape[1:])


def pieces(path: Path) -> Iterator[bytes]:
    """The bytes of the array in a .npy file, without its header."""
    with path.open("rb") as file:
        header(file)
        while piece := file.read(BLOCK):
            yield piece


def save(
    path: Path, blocks: Iterable[np.ndarray], shape: tuple[int, ...], places: np.ndarray | None = None
) -> None:
    """Write an array, uint8 of this shape, from consecutive blocks of its rows.

    Args:
        places: int [N], the row of the file in which the k-th row is stored; None keeps the order.

    Raises:
        ValueError: wrong type, shape or number of rows, or ``places`` is not a permutation of the rows.
    """
    if places is not None and not np.array_equal(np.sort(places), np.arange(shape[0])):
        raise ValueError(f"places are not the rows 0 to {shape[0] - 1}, each once")
    size = int(np.prod(shape[1:], dtype=np.int64))
    done = 0
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|u1", "fortran_order": False, "shape": tuple(int(n) for n in shape)}
        )
        begin = file.tell()
        file.truncate(begin + shape[0] * size)
        for block in blocks:
            if block.dtype != np.uint8 or block.shape[1:] != tuple(shape[1:]):
                expected = f"uint8 [n, {', '.join(map(str, shape[1:]))}]"
                raise ValueError(
                    f"a block of images is {block.dtype} {list(block.shape)}, expected {expected}"
                )
            if done + len(block) > shape[0]:
                raise ValueError(f"got more than {shape[0]} images")
            if places is None:
                file.write(np.ascontiguousarray(block).data)
            else:
                for row, image in zip(places[done : done + len(block)], block, strict=True):
                    file.seek(begin + int(row) * size)
                    file.write(np.ascontiguousarray(image).data)
            done += len(block)
    if done != shape[0]:
        raise ValueError(f"got {done} images, expected {shape[0]}")

"""Reading files of arrays in blocks of rows: .npy, .npz and HDF5. An array may be larger than the memory.

    .npy          one array, here called ``images``           its format: pipeline/store/npy.py
    .npz          a zip archive of named .npy files           decompressed block by block
    .h5 .hdf5     datasets, ``group/name`` within groups      read in whole chunks, each once

Arrays of numbers only: pickled objects are not opened, nor HDF5 datasets whose values are in other files.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn, cast, final

import h5py
import numpy as np

from pipeline.errors import UserError
from pipeline.store import npy

__all__ = ["ENDINGS", "Array", "arrays", "wrong"]

HDF5 = (".h5", ".hdf5")
ENDINGS = (".npy", ".npz", *HDF5)
NONE = np.dtype(np.void)
ONLY = "images"
"""The name of the array in a .npy file, which has none."""


@final
@dataclass(frozen=True)
class Array:
    """An array in a file, its values not read yet."""

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    problem: str = ""
    """Why it cannot be read; empty if it can."""

    def __str__(self) -> str:
        """For people: ``images: uint8 [100, 32, 32]``."""
        return f"{self.name}: {self.problem or f'{self.dtype} {list(self.shape)}'}"

    @property
    def where(self) -> str:
        """The file and the array, for messages."""
        return f"{self.path}: {self.name}"

    def blocks(self) -> Iterator[np.ndarray]:
        """Some rows of the first axis at a time.

        Raises:
            UserError: the file is damaged, or ends early.
        """
        with _damage(self.path):
            if self.path.suffix.lower() in HDF5:
                with h5py.File(self.path) as file:
                    yield from _chunks(file[self.name])
                return
            with _opened(self.path, f"{self.name}.npy") as (plain, _):
                yield from npy.blocks(plain, *npy.header(plain))

    def values(self) -> np.ndarray:
        """The whole array, if it is small."""
        found = list(self.blocks())
        return np.concatenate(found) if found else np.empty(self.shape, self.dtype)


def wrong(array: Array, what: str) -> NoReturn:
    """Raise the UserError that names the array and what is wrong with it."""
    raise UserError(f"{array.where}: {what}")


def arrays(path: Path) -> dict[str, Array]:
    """The arrays that a file holds, by name.

    Raises:
        UserError: it is no such file, or a damaged one.
    """
    ending = path.suffix.lower()
    with _damage(path):
        if ending in HDF5:
            found = _datasets(path)
        elif ending == ".npz":
            with zipfile.ZipFile(path) as archive:
                names = [name for name in archive.namelist() if name.endswith(".npy")]
            found = [_described(path, name) for name in names]
        else:
            found = [_described(path, f"{ONLY}.npy")]
            if found[0].problem:
                raise ValueError(found[0].problem)
    return {array.name: array for array in found}


@contextmanager
def _opened(path: Path, member: str) -> Iterator[tuple[BinaryIO, int]]:
    """A .npy file, alone or in an archive, and how many bytes it has."""
    if path.suffix.lower() == ".npz":
        with zipfile.ZipFile(path) as archive, archive.open(member) as file:
            yield cast(BinaryIO, file), archive.getinfo(member).file_size
    else:
        with path.open("rb") as plain:
            yield plain, path.stat().st_size


def _described(path: Path, member: str) -> Array:
    name = member.removesuffix(".npy")
    with _opened(path, member) as (file, held):
        try:
            shape, dtype = npy.header(file)
        except (ValueError, EOFError) as error:
            return Array(path, name, (), NONE, str(error))
        declared = file.tell() + dtype.itemsize * _count(shape)
    if declared != held:
        problem = f"it has {held:,} bytes where {declared:,} are declared: is it cut short?"
        return Array(path, name, shape, dtype, problem)
    return Array(path, name, shape, dtype)


def _datasets(path: Path) -> list[Array]:
    """The datasets of an HDF5 file. Links are not followed: they may lead to another file."""
    found = []

    def visit(name: str, node: object) -> None:
        if isinstance(node, h5py.Dataset):
            problem = ""
            if node.shape is None:
                problem = "it is empty"
            elif node.dtype.hasobject:
                problem = "it holds strings, references or rows of different lengths, which are not opened"
            elif node.external or node.is_virtual:
                problem = "its values are in other files, which are not opened"
            found.append(Array(path, name, node.shape or (), node.dtype, problem))

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


def _chunks(dataset: h5py.Dataset) -> Iterator[np.ndarray]:
    """Rows of an HDF5 dataset. Chunks are compressed as a whole, so each is read once, as a whole."""
    size = max(1, dataset.dtype.itemsize * _count(dataset.shape[1:]))
    rows = max(1, npy.BLOCK // size)
    high = dataset.chunks[0] if dataset.chunks else 1
    step = -(-rows // high) * high
    for start in range(0, dataset.shape[0], step):
        block = dataset[start : start + step]
        for first in range(0, len(block), rows):
            yield block[first : first + rows]


def _count(shape: tuple[int, ...]) -> int:
    return math.prod(map(int, shape))


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Raise UserError for a file that the libraries cannot read."""
    try:
        yield
    except UserError:
        raise
    except (
        *(zipfile.BadZipFile, zlib.error, EOFError, OSError),
        *(ValueError, KeyError, RuntimeError, NotImplementedError),
    ) as error:
        what = str(error) or type(error).__name__
        raise UserError(
            f"{path} cannot be read, or is no {path.suffix} file, or a damaged one ({what}). Save it again."
        ) from error

"""MPI3D: images of an object at the end of a robot arm, every combination of seven factors once; what its data sets share.

    factor             values   meaning (the authors' README)
    object_color            6   white, green, red, blue, brown, olive
    object_shape            6   cone, cube, cylinder, hexagonal, pyramid, sphere
    object_size             2   small, large
    camera_height           3   top, center, bottom
    background_color        3   purple, sea green, salmon
    horizontal_axis        40   the arm's first degree of freedom
    vertical_axis          40   its second

    mpi3d_*.npz    zip, stored or deflated: images.npy, uint8 [N, 64, 64, 3], red green blue, 0..255;
                   in lexicographic order, vertical_axis fastest

The file holds no labels: N tells the grid. 1,036,800 is the one above, 460,800 has 4 colours and 4 shapes. The latter
are the toy and realistic images that disentanglement_lib reads (sim_toy_64x_ordered_without_heldout_factors.npz), whose
address is gone; which 4 of the colours and shapes they have is not documented. (The authors' fourth data set, of household
objects, has as many images and other factor values; it is not among these.) Unpacked, today's files take 12.7 GB: they are
read as they come out of the archive, some megabytes at a time.

Checksums. The authors publish none. Those here are md5s that other projects (disent and, of the toy file, another) have
pinned for the same file names at an earlier address, storage.googleapis.com/disentanglement_dataset/Final_Dataset, closed
since 2023. That today's files are the same bytes is likely and could not be verified: ``checksum`` says which file is
meant if they are not.

M. W. Gondal, M. Wüthrich, Đ. Miladinović, F. Locatello, M. Breidt, V. Volchkov, J. Akpo, O. Bachem, B. Schölkopf,
S. Bauer, "On the Transfer of Inductive Bias from Simulation to the Real World: a New Disentanglement Dataset", NeurIPS 32,
2019, arXiv:1906.03292. https://github.com/rr-learning/disentanglement_dataset (CC BY 4.0)
"""

from __future__ import annotations

import errno
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, ClassVar, cast

import numpy as np
from pydantic import Field, field_validator

from pipeline.data.arrays.dataset import About, DownloadOptions, Prepared
from pipeline.data.arrays.grid import factor_table, select
from pipeline.data.arrays.shrink import shrink
from pipeline.errors import UserError
from pipeline.store import npy

__all__ = ["ABOUT", "OLDER", "SIZES", "Mpi3dOptions", "prepare"]

SIZES = {
    "object_color": 6,
    "object_shape": 6,
    "object_size": 2,
    "camera_height": 3,
    "background_color": 3,
    "horizontal_axis": 40,
    "vertical_axis": 40,
}
OLDER = {**SIZES, "object_color": 4, "object_shape": 4}
"""The grid of the toy and realistic images that disentanglement_lib reads."""

IMAGE = (64, 64, 3)
MEMBER = "images.npy"

DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
    EOFError,
    RuntimeError,
    SyntaxError,
    ValueError,
)
"""What the standard library and numpy raise where an archive or an array's header is not what it should be."""

ABOUT = About(
    title="MPI3D",
    what="1,036,800 64×64 colour images of an object at the end of a robot arm: every combination of seven factors once.",
    source="https://github.com/rr-learning/disentanglement_dataset",
    licence="Creative Commons Attribution 4.0 International License (https://creativecommons.org/licenses/by/4.0/)",
    citation="M. W. Gondal, M. Wüthrich, Đ. Miladinović, F. Locatello, M. Breidt, V. Volchkov, J. Akpo, O. Bachem, "
    "B. Schölkopf, S. Bauer, On the Transfer of Inductive Bias from Simulation to the Real World: a New Disentanglement "
    "Dataset, NeurIPS 32, 2019, arXiv:1906.03292",
    factors=SIZES,
)


class Mpi3dOptions(DownloadOptions):
    """The keys that all of MPI3D's data sets have."""

    original_size: ClassVar[int] = IMAGE[0]

    subset: dict[str, int | list[int]] = Field(default_factory=dict)
    """Factor -> how many evenly spaced values to keep of it, the first and the last among them, or their indices; what is
    not named is kept whole."""

    @field_validator("subset")
    @classmethod
    def _is_a_choice(cls, value: dict[str, int | list[int]]) -> dict[str, int | list[int]]:
        select(value, SIZES)
        return value


def prepare(path: Path, options: Mpi3dOptions, grids: Sequence[Mapping[str, int]]) -> Prepared:
    """The images of the chosen factors, [3, 64, 64] or smaller.

    Args:
        path: the archive, in the data set's folder.
        grids: factor -> number of values, of each grid that the file may have; their numbers of images differ.

    Raises:
        UserError: the file is damaged or not in the published layout, or its grid lacks what is chosen of it.
    """
    with _images(path) as (_, shape):
        sizes = _grid(shape, grids)
    try:
        kept = select(options.subset, sizes)
    except ValueError as error:
        raise UserError(
            f"params.yaml: datasets.{path.parent.name}.subset: {error} ({path.name} has {shape[0]:,} images, a grid of "
            f"{'×'.join(map(str, sizes.values()))})"
        ) from None
    chosen = tuple(len(indices) for indices in kept.values())
    size = options.image_size or IMAGE[0]
    return Prepared(
        blocks=read(path, kept, sizes, size),
        count=int(np.prod(chosen)),
        storage="uint8",
        shape=(3, size, size),
        factors=factor_table(chosen),
        factor_names=tuple(sizes),
        factor_sizes=chosen,
        grid=True,
        details={"factor_indices": kept},
    )


def read(
    path: Path, kept: Mapping[str, list[int]], sizes: Mapping[str, int], size: int
) -> Iterator[np.ndarray]:
    """uint8 [n, 3, size, size], the chosen images in the grid's order, some megabytes at a time.

    Raises:
        UserError: the file is damaged, or not in the published layout.
    """
    wanted = np.zeros(tuple(sizes.values()), dtype=bool)
    wanted[np.ix_(*kept.values())] = True
    wanted = wanted.ravel()
    start = 0
    with _images(path) as (file, shape):
        for images in npy.blocks(file, shape, np.dtype(np.uint8)):
            chosen = images[wanted[start : start + len(images)]]
            start += len(images)
            if len(chosen):
                yield shrink(np.ascontiguousarray(chosen.transpose(0, 3, 1, 2)), size)


@contextmanager
def _images(path: Path) -> Iterator[tuple[BinaryIO, tuple[int, ...]]]:
    """The images' bytes as they come out of the archive, and their shape; what is wrong with them in words."""
    try:
        with zipfile.ZipFile(path) as archive:
            if MEMBER not in archive.namelist():
                raise ValueError(
                    f"it has no member {MEMBER}; it has: {', '.join(archive.namelist()[:5]) or 'none'}"
                )
            info = archive.getinfo(MEMBER)
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(
                    f"{MEMBER} is compressed by method {info.compress_type}; only deflate is read here"
                )
            with archive.open(info) as member:
                file = cast(BinaryIO, member)
                shape, dtype = npy.header(file)
                if len(shape) != 4 or shape[1:] != IMAGE or dtype != np.uint8:
                    raise ValueError(
                        f"images should be uint8 [N, {', '.join(map(str, IMAGE))}], found {dtype} {list(shape)}"
                    )
                expected = file.tell() + shape[0] * int(np.prod(IMAGE))
                if info.file_size != expected:
                    raise ValueError(
                        f"{MEMBER} has {info.file_size:,} bytes, and {shape[0]:,} images take {expected:,}"
                    )
                yield file, shape
    except (*DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise  # of the disk; a damaged archive has places before its beginning
        raise UserError(
            f"{path} is not MPI3D in its published layout: {error}. Correct mirror and checksum in params.yaml "
            f"(datasets.{path.parent.name}) and fetch it again: dvc repro --force fetch@{path.parent.name}"
        ) from error


def _grid(shape: tuple[int, ...], grids: Sequence[Mapping[str, int]]) -> Mapping[str, int]:
    """The grid that has so many images."""
    counts = [int(np.prod(tuple(sizes.values()))) for sizes in grids]
    if shape[0] not in counts:
        expected = " or ".join(
            f"{count:,} ({'×'.join(map(str, sizes.values()))})"
            for count, sizes in zip(counts, grids, strict=True)
        )
        raise ValueError(f"it should have {expected} images, found {shape[0]:,}")
    return grids[counts.index(shape[0])]

"""3D Shapes: 480,000 rendered 64×64 colour images of an object in a room, the full grid of six factors.

    factor        values   meaning (the authors' README)
    floor_hue         10   linearly spaced in [0, 1]
    wall_hue          10   linearly spaced in [0, 1]
    object_hue        10   linearly spaced in [0, 1]
    scale              8   linearly spaced in [0, 1]
    shape              4   0, 1, 2, 3
    orientation       15   linearly spaced in [-30, 30] degrees

An index is the rank of a value. ``meta.json`` keeps the values as the file has them (``factor_values``):
others report values that differ from the README (hues 0, 0.1, ... 0.9).

    3dshapes.h5    HDF5: images uint8 [480000, 64, 64, 3], red green blue, 0..255
                         labels float64 [480000, 6], the values; lexicographic, orientation fastest

The images are compressed in chunks (5.9 GB in 0.27 GB). The shape of the chunks is not documented: h5py would
choose 15000×4×4×1. Whatever it is, whole chunks are read, each once, some megabytes of images at a time.

Chris Burgess, Hyunjik Kim, "3D Shapes Dataset", 2018, https://github.com/deepmind/3dshapes-dataset/ (Apache
License 2.0).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
from pydantic import Field, field_validator

from pipeline.data.arrays.dataset import About, DownloadOptions, Prepared, fetched
from pipeline.data.arrays.grid import factor_table, select
from pipeline.data.arrays.shrink import shrink
from pipeline.data.files.damage import damage
from pipeline.data.files.download import RemoteFile, fetch_files

__all__ = ["ABOUT", "Options", "fetch", "prepare"]

SIZES = {"floor_hue": 10, "wall_hue": 10, "object_hue": 10, "scale": 8, "shape": 4, "orientation": 15}
IMAGE = (64, 64, 3)
IMAGE_BYTES = 64 * 64 * 3

BLOCK = 8 << 20
"""Bytes of images in a block, and per read if the chunks are no larger."""
LARGEST = 256 << 20
"""The most bytes of images per read. A chunk that spans more of them is read in several parts, and
decompressed for each."""

# The authors publish no checksum. TensorFlow Datasets and others pin this one and the size.
FILES = (
    RemoteFile(
        "3dshapes.h5",
        ("https://storage.googleapis.com/3d-shapes/3dshapes.h5",),
        "sha256:0a0f6ed98baff276a50f3a081a7434d788da63cb135a98189b2a5b5769be1785",
        267_573_662,
    ),
)

ABOUT = About(
    title="3D Shapes",
    what="480,000 rendered 64×64 colour images of an object in a room: "
    "every combination of six factors once.",
    source="https://github.com/google-deepmind/3d-shapes",
    licence="Apache License 2.0 (the repository's; none is stated for the data alone)",
    citation='C. Burgess, H. Kim, "3D Shapes Dataset", 2018, https://github.com/deepmind/3dshapes-dataset/; '
    "introduced in "
    "H. Kim, A. Mnih, Disentangling by Factorising, ICML 2018, arXiv:1802.05983",
    factors=SIZES,
    files=FILES,
)


class Options(DownloadOptions):
    """``datasets.shapes3d`` in params.yaml."""

    original_size: ClassVar[int] = IMAGE[0]

    subset: dict[str, int | list[int]] = Field(default_factory=dict)
    """Factor -> how many evenly spaced values to keep of it, the first and the last among them, or their
    indices. Other factors keep all values."""

    @field_validator("subset")
    @classmethod
    def _is_a_choice(cls, value: dict[str, int | list[int]]) -> dict[str, int | list[int]]:
        select(value, SIZES)
        return value


def fetch(options: Options, folder: Path) -> None:
    """Download the published file.

    Raises:
        UserError: it cannot be downloaded, or is not the expected file.
    """
    fetch_files(FILES, folder, options.mirror)


def prepare(options: Options, folder: Path) -> Prepared:
    """The images of the chosen factors, [3, 64, 64] or smaller.

    Raises:
        UserError: the raw file is missing, damaged, or not in the published layout.
    """
    path = fetched(folder, FILES[0].name, FILES[0].checksum)
    with _opened(path) as file:
        values = _values(file)
    kept = select(options.subset, SIZES)
    sizes = tuple(len(indices) for indices in kept.values())
    size = options.image_size or IMAGE[0]
    return Prepared(
        blocks=read(path, kept, size),
        count=int(np.prod(sizes)),
        storage="uint8",
        shape=(3, size, size),
        factors=factor_table(sizes),
        factor_names=tuple(SIZES),
        factor_sizes=sizes,
        grid=True,
        details={
            "factor_indices": kept,
            "factor_values": {name: values[name][indices].tolist() for name, indices in kept.items()},
        },
    )


def read(path: Path, kept: Mapping[str, list[int]], size: int) -> Iterator[np.ndarray]:
    """uint8 [n, 3, size, size], the chosen images in the grid's order, some megabytes at a time.

    Raises:
        UserError: the file is damaged, or not in the published layout.
    """
    in_subset = np.zeros(tuple(SIZES.values()), dtype=bool)
    in_subset[np.ix_(*kept.values())] = True
    in_subset = in_subset.ravel()
    with _opened(path) as file:
        images = _images(file)
        for start, stop in spans(len(in_subset), images.chunks[0] if images.chunks else 1):
            chosen = np.flatnonzero(in_subset[start:stop])
            if len(chosen) == 0:
                continue
            together = images[start:stop]
            for indices in np.array_split(chosen, -(-len(chosen) * IMAGE_BYTES // BLOCK)):
                yield shrink(np.ascontiguousarray(together[indices].transpose(0, 3, 1, 2)), size)
            del together  # before the next are read


def spans(count: int, chunk: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of rows to read together, of ``count`` rows in chunks of ``chunk``.

    Each span is as many whole chunks as have BLOCK bytes, or one chunk; if that has more than LARGEST bytes,
    part of one.
    """
    whole = chunk * max(1, BLOCK // (chunk * IMAGE_BYTES))
    part = min(whole, max(1, LARGEST // IMAGE_BYTES))
    for first in range(0, count, whole):
        end = min(first + whole, count)
        for start in range(first, end, part):
            yield start, min(start + part, end)


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """The file, without a cache, since no chunk is read twice.

    Raises:
        UserError: the file is damaged, or not in the published layout.
    """
    cure = f"Remove it and fetch the published file: dvc repro --force fetch@{path.parent.name}"
    with (
        damage(f"{path} is not 3D Shapes in its published layout", cure),
        h5py.File(path, "r", rdcc_nbytes=0, locking=False) as file,
    ):
        yield file


def _images(file: h5py.File) -> h5py.Dataset:
    return _array(file, "images", (int(np.prod(tuple(SIZES.values()))), *IMAGE), np.dtype(np.uint8))


def _array(file: h5py.File, name: str, shape: tuple[int, ...], dtype: np.dtype) -> h5py.Dataset:
    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"it has no array {name!r}; it has: {', '.join(map(str, file)) or 'nothing'}")
    if found.shape != shape or found.dtype != dtype:
        raise ValueError(
            f"{name} should be {dtype} {list(shape)}, found {found.dtype} {list(found.shape or ())}"
        )
    return found


def _values(file: h5py.File) -> dict[str, np.ndarray]:
    """Factor -> its values, ascending. Raises ValueError unless the file is the ordered full grid."""
    _images(file)
    table = factor_table(tuple(SIZES.values()))
    labels: np.ndarray[Any, Any] = _array(file, "labels", table.shape, np.dtype(np.float64))[:]
    values = {}
    for column, (name, size) in enumerate(SIZES.items()):
        found, ranks = np.unique(labels[:, column], return_inverse=True)
        if len(found) != size or not np.isfinite(found).all():
            some = ", ".join(f"{value:g}" for value in found[: size + 1])
            raise ValueError(
                f"column {column} of labels ({name}) should have {size} values, found {len(found)}: {some}"
                f"{', ...' if len(found) > size + 1 else ''}"
            )
        wrong = np.flatnonzero(ranks != table[:, column])
        if len(wrong):
            row = wrong[0]
            raise ValueError(
                f"column {column} of labels ({name}) is not in lexicographic order: row {row} should have "
                f"{found[table[row, column]]:g}, found {labels[row, column]:g} ({len(wrong)} such rows)"
            )
        values[name] = found
    return values

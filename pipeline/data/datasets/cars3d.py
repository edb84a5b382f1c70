"""Cars3D: 17,568 renders of 183 car models, 128×128 in colour: every combination of three factors once.

    factor         values   meaning
    elevation           4   of the camera
    azimuth            24   of the camera, around the car
    object_type       183   the car model

Names and order are those of disentanglement_lib. The authors do not document the angles of the indices.

The archive ``nips2015-analogy-data.tar.gz`` also has other data. Only these members are read, in place:

    data/cars/list.txt            names of the cars' files without ``.mat``, one per line
    data/cars/car_NNN_mesh.mat    MATLAB 5: ``im`` uint8 [128, 128, 3, 24, 4],
                                  the axes are row, column, RGB, azimuth, elevation

Cars are numbered in the order of ``list.txt``, as in nmichlo/disent; without that file, in the order of their
names. disentanglement_lib numbers them in the order of the file system's listing, which is not defined and
cannot be reproduced.

By default images are scaled to 64×64, as in the study of Locatello et al. (arXiv:1811.12359), but by
averaging areas (``pipeline/data/arrays/shrink.py``), whereas disentanglement_lib resamples with Lanczos's
filter.

Scott Reed, Yi Zhang, Yuting Zhang, Honglak Lee, "Deep Visual Analogy-Making", NIPS 2015,
https://papers.nips.cc/paper/5845-deep-visual-analogy-making.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
from scipy.io import loadmat

from pipeline.data.arrays.dataset import About, DownloadOptions, Prepared, fetched
from pipeline.data.arrays.grid import factor_table, rows
from pipeline.data.arrays.shrink import shrink
from pipeline.data.files.damage import damage
from pipeline.data.files.download import RemoteFile, fetch_files
from pipeline.errors import UserError

__all__ = ["ABOUT", "Options", "fetch", "prepare"]

SIZES = {"elevation": 4, "azimuth": 24, "object_type": 183}
SIDE = 128

# The authors publish no checksum. Two independent projects pin this one (nmichlo/disent is one of them).
FILES = (
    RemoteFile(
        "nips2015-analogy-data.tar.gz",
        (
            "http://www.scottreed.info/files/nips2015-analogy-data.tar.gz",
            "http://www-personal.umich.edu/~reedscot/files/nips2015-analogy-data.tar.gz",
        ),
        "md5:4e866a7919c1beedf53964e6f7a23686",
    ),
)

LIST = "data/cars/list.txt"
MEMBERS = re.compile(r"data/cars/(list\.txt|(?!\._)[^/]+\.mat)")
"""Without macOS's files of attributes, ``._*``."""

CURE = "Fetch it again: dvc repro --force fetch@cars3d. If that does not help, please report this."

ABOUT = About(
    title="Cars3D",
    what="17,568 renders of 183 car models, 128×128 in colour (64×64 as a rule): every combination of "
    "elevation, azimuth and model once.",
    source="http://www.scottreed.info",
    licence="none stated by the authors",
    citation='S. Reed, Y. Zhang, Y. Zhang, H. Lee, "Deep Visual Analogy-Making", Advances in Neural '
    "Information Processing "
    "Systems 28, 2015, https://papers.nips.cc/paper/5845-deep-visual-analogy-making",
    factors=SIZES,
    files=FILES,
)


class Options(DownloadOptions):
    """``datasets.cars3d`` in params.yaml."""

    original_size: ClassVar[int] = SIDE

    image_size: int | None = 64
    """Pixels along a side, by averaging areas: 64 as in the literature; 128 or null keeps the original
    size."""


def fetch(options: Options, folder: Path) -> None:
    """Download the archive.

    Raises:
        UserError: it cannot be downloaded, or is not the expected file.
    """
    fetch_files(FILES, folder, options.mirror)


def prepare(options: Options, folder: Path) -> Prepared:
    """The images, car after car in the archive's order, and their places in the grid.

    The archive is decompressed twice, because its cars must be known before the first image is stored. Memory
    holds one car's file, some megabytes.

    Raises:
        UserError: the archive is missing, damaged, or has other cars than it should have.
    """
    path = fetched(folder, FILES[0].name, FILES[0].checksum)
    found, cars = contents(path)
    sizes = tuple(SIZES.values())
    size = options.image_size or SIDE
    views = factor_table(sizes[:2])
    places = [rows(np.column_stack([views, np.full(len(views), cars.index(car))]), sizes) for car in found]
    return Prepared(
        blocks=_blocks(path, size),
        count=int(np.prod(sizes)),
        storage="uint8",
        shape=(3, size, size),
        places=np.concatenate(places),
        factors=factor_table(sizes),
        factor_names=tuple(SIZES),
        factor_sizes=sizes,
        grid=True,
        details={"object_types": cars},
    )


def contents(path: Path) -> tuple[list[str], list[str]]:
    """The cars' names in the archive's order, and in the order of their numbers.

    Raises:
        UserError: the number of cars is wrong, or ``list.txt`` names others.
    """
    found, listed = [], None
    for name, content in _members(path):
        if name == LIST:
            listed = content.decode(errors="replace").split()
        else:
            found.append(Path(name).stem)
    if len(found) != SIZES["object_type"]:
        raise UserError(
            f"{path} should have {SIZES['object_type']} cars (data/cars/*.mat), found {len(found)}. {CURE}"
        )
    if listed is not None and sorted(listed) != sorted(found):
        odd = sorted(set(listed) ^ set(found)) or sorted({car for car in listed if listed.count(car) > 1})
        raise UserError(
            f"{path}: {LIST} and the cars' files differ: it has {len(listed)} names, there are {len(found)} "
            f"files; not in both, or twice: {', '.join(odd[:3])}{', ...' if len(odd) > 3 else ''}. {CURE}"
        )
    return found, sorted(found) if listed is None else listed


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of the list and of the cars' files, in the archive's order."""
    with damage(f"{path} is not Cars3D's archive, or damaged", CURE), tarfile.open(path, "r:gz") as archive:
        for member in archive:
            name = member.name.removeprefix("./")
            if MEMBERS.fullmatch(name) and (file := archive.extractfile(member)) is not None:
                yield name, file.read()


def _blocks(path: Path, size: int) -> Iterator[np.ndarray]:
    """A car at a time: uint8 [elevations · azimuths, 3, size, size]."""
    for name, content in _members(path):
        if name != LIST:
            # row, column, RGB, azimuth, elevation -> elevation, azimuth, RGB, row, column
            views = np.ascontiguousarray(_car(path, name, content).transpose(4, 3, 2, 0, 1))
            yield shrink(views.reshape(-1, 3, SIDE, SIDE), size)


def _car(path: Path, name: str, content: bytes) -> np.ndarray:
    """``im`` of one car's file: uint8 [128, 128, 3, azimuths, elevations].

    scipy's reader can crash on malicious files; these are safe, because the archive's checksum is verified.
    """
    expected = (SIDE, SIDE, 3, SIZES["azimuth"], SIZES["elevation"])
    try:
        im = loadmat(io.BytesIO(content), variable_names=["im"]).get("im")
    except Exception as error:  # scipy raises anything on damaged files, even UnboundLocalError
        raise UserError(
            f"{path}: member {name!r} is damaged, or no MATLAB 5 file ({error}). {CURE}"
        ) from error
    if not isinstance(im, np.ndarray) or im.dtype != np.uint8 or im.shape != expected:
        what = "nothing of that name" if im is None else f"{getattr(im, 'dtype', type(im))} {list(im.shape)}"
        raise UserError(f"{path}: member {name!r}: im should be uint8 {list(expected)}, found {what}. {CURE}")
    return im

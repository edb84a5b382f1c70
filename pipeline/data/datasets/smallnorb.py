"""Small NORB: 48,600 grey 96×96 photographs of 50 toys, every combination of five factors once.

    factor       values   meaning
    category          5   animal, human, plane, truck, car
    instance         10   the toy within its category
    elevation         9   of the camera, 30°, 35°, ... 70° above the horizontal
    azimuth          18   of the camera, 0°, 20°, ... 340°
    lighting          6   condition

A pair of cameras took each scene. The images of one camera are used, by default the first, as in
disentanglement_lib, which also leaves out ``instance`` as a factor: it is a variation that no factor
describes. Training and test files have five instances of each category each (4, 6, 7, 8, 9 and 0, 1, 2, 3,
5), and together the whole grid.

There are six gzipped files: ``dat`` uint8 [24300, 2, 96, 96], images of both cameras; ``cat`` int32 [24300];
``info`` int32 [24300, 4], instance, elevation, azimuth (0, 2, ... 34), lighting. Each is a "binary matrix",
little-endian:

    int32 magic       0x1E3D4C55 uint8, 0x1E3D4C54 int32
    int32 n           number of dimensions
    int32 [max(3, n)] sizes; unused ones are 1
    the numbers, last index fastest

By default images are scaled to 64×64, as in the study of Locatello et al. (arXiv:1811.12359), but by
averaging areas (``pipeline/data/arrays/shrink.py``), whereas disentanglement_lib resamples with Lanczos's
filter.

Yann LeCun, Fu Jie Huang, Léon Bottou, "Learning Methods for Generic Object Recognition with Invariance to
Pose and Lighting", CVPR 2004; https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, ClassVar, Literal, cast

import numpy as np
from pydantic import model_validator

from pipeline.data.arrays.dataset import About, DownloadOptions, Prepared, fetched, no_other_test_part
from pipeline.data.arrays.grid import factor_table, rows
from pipeline.data.arrays.shrink import shrink
from pipeline.data.files.damage import damage
from pipeline.data.files.download import RemoteFile, fetch_files
from pipeline.errors import UserError
from pipeline.store import npy

__all__ = ["ABOUT", "Options", "fetch", "prepare"]

SIZES = {"category": 5, "instance": 10, "elevation": 9, "azimuth": 18, "lighting": 6}
SIDE = 96
STEPS = np.array([1, 1, 1, 2, 1])
"""The step of a factor's code in the files from one value to the next."""
CATEGORIES = ("animal", "human", "plane", "truck", "car")
CAMERAS = ("left", "right")
"""In the order of ``dat``. According to other loaders the first is the left one; disentanglement_lib uses the
first."""

HOME = "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/"
PARTS = ("5x46789x9x18x6x2x96x96-training", "5x01235x9x18x6x2x96x96-testing")
KINDS = ("dat", "cat", "info")


def _file(part: str, kind: str, size: int, checksum: str) -> RemoteFile:
    name = f"smallnorb-{part}-{kind}.mat.gz"
    return RemoteFile(name, (HOME + name,), f"sha256:{checksum}", size)


# The authors publish no checksums; these and the sizes are those of TensorFlow Datasets.
FILES = (
    _file(PARTS[0], "dat", 131_896_188, "5ffd6272a07d32695ee1082a26a41a93a37aab8c28da047f8c34ed348d214873"),
    _file(PARTS[0], "cat", 348, "2784e542c1922060691090952b6cd6278879a216c90f81476f0f00256d42cdaa"),
    _file(PARTS[0], "info", 71_052, "de7eb932ebe7a4ee16217fead60660d0eb3d23632c2f4d1c51f88c501c17bf32"),
    _file(PARTS[1], "dat", 130_799_817, "cf7104eed3e51174d2f65b66d1e5878b9da233b886f161b0d88f4510ba2c7474"),
    _file(PARTS[1], "cat", 347, "ecaf6d5bb8c3bc5eab9cf0258f6d2198dd474e016e374836fc097f2e5ff509ff"),
    _file(PARTS[1], "info", 10_428, "16adf314226327ee006d1a44db8cfef52773c06c829951d5653a9f6f310248a2"),
)

MAGIC = {0x1E3D4C55: "uint8", 0x1E3D4C54: "int32"}
CURE = "Fetch it again: dvc repro --force fetch@smallnorb. If that does not help, please report this."

ABOUT = About(
    title="Small NORB",
    what="48,600 grey 96×96 photographs (64×64 as a rule) of 50 toys of 5 categories: every combination of "
    "toy, elevation, azimuth and lighting once.",
    source=HOME,
    licence="This database is provided for research purposes. It cannot be sold. Publications that include "
    "results obtained with this database should reference the following paper: Y. LeCun, F.J. Huang, L. "
    "Bottou, Learning Methods for Generic Object Recognition with Invariance to Pose and Lighting. IEEE "
    "Computer Society Conference on Computer Vision and Pattern Recognition (CVPR) 2004",
    citation='Y. LeCun, F. J. Huang, L. Bottou, "Learning Methods for Generic Object Recognition with '
    'Invariance to Pose and Lighting", IEEE Computer Society Conference on Computer Vision and Pattern '
    "Recognition (CVPR), 2004",
    factors={name: size for name, size in SIZES.items() if name != "instance"},
    labels=CATEGORIES,
    files=FILES,
)


class Options(DownloadOptions):
    """``datasets.smallnorb`` in params.yaml."""

    original_size: ClassVar[int] = SIDE

    image_size: int | None = 64
    """Pixels along a side, by averaging areas: 64 as in the literature; 96 or null keeps the original
    size."""
    camera: Literal["left", "right"] = "left"
    """The camera whose images are used."""
    instance: bool = False
    """Whether ``instance`` is also a factor: then the factors are a grid. Images and their order do not
    change."""
    split: Literal["official", "drawn"] = "drawn"
    """``official``: the test part is the five instances of each category in the test files; ``drawn``: a
    ``test_fraction`` of all images."""

    @model_validator(mode="after")
    def _one_test_part(self) -> Options:
        no_other_test_part(self, "the 24,300 images of the test files")
        return self


def fetch(options: Options, folder: Path) -> None:
    """Download the six files.

    Raises:
        UserError: one cannot be downloaded, or is not the expected file.
    """
    fetch_files(FILES, folder, options.mirror)


def prepare(options: Options, folder: Path) -> Prepared:
    """The images of one camera, in the order of the files, and their places in the grid of all five factors.

    Rows are always in the lexicographic order of the five factors. Without ``instance`` as a factor, each
    combination of the other four appears ten times, and the factors are no grid.

    Raises:
        UserError: a file is missing, damaged or another matrix, or a combination does not appear exactly
            once.
    """
    paths = {file.name: fetched(folder, file.name, file.checksum) for file in FILES}
    dat, cat, info = ([paths[f"smallnorb-{part}-{kind}.mat.gz"] for part in PARTS] for kind in KINDS)
    sizes = tuple(SIZES.values())
    places, of_test = _places(cat, info)
    factors = factor_table(sizes)
    used = [k for k, name in enumerate(SIZES) if options.instance or name != "instance"]
    size = options.image_size or SIDE
    return Prepared(
        blocks=_blocks(dat, CAMERAS.index(options.camera), size),
        count=len(factors),
        storage="uint8",
        shape=(1, size, size),
        places=places,
        factors=np.ascontiguousarray(factors[:, used]),
        factor_names=tuple(name for k, name in enumerate(SIZES) if k in used),
        factor_sizes=tuple(sizes[k] for k in used),
        grid=options.instance,
        labels=factors[:, 0].astype(np.int64),
        label_names=CATEGORIES,
        official_test=of_test if options.split == "official" else None,
        details={"camera": options.camera},
    )


def _places(cat: list[Path], info: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """int64 [N], the row in the grid of each image of the files; bool [N], the rows of the test files'
    images.

    Raises:
        UserError: a combination does not appear exactly once.
    """
    sizes, count = tuple(SIZES.values()), _images_of_a_part()
    codes = []
    for path_of_categories, path_of_others in zip(cat, info, strict=True):
        code = np.column_stack([_whole(path_of_categories, (count,)), _whole(path_of_others, (count, 4))])
        good = ((code >= 0) & (code < STEPS * sizes) & (code % STEPS == 0)).all(axis=1)
        if not good.all():
            row = int(np.argmin(good))
            highest = ", ".join(map(str, (STEPS * (np.array(sizes) - 1)).tolist()))
            raise UserError(
                f"{path_of_categories}, {path_of_others}: row {row}: {', '.join(SIZES)} should be 0 to "
                f"{highest}, azimuths even, found {', '.join(map(str, code[row].tolist()))}. {CURE}"
            )
        codes.append(code // STEPS)
    places = rows(np.concatenate(codes), sizes)
    times = np.bincount(places, minlength=int(np.prod(sizes)))
    if (times != 1).any():
        row = int(np.argmax(times != 1))
        combination = dict(zip(SIZES, map(int, np.unravel_index(row, sizes)), strict=True))
        raise UserError(
            f"{info[0].parent}: every combination of factors should appear once; {int((times != 1).sum())} "
            f"do not, the first is {combination}, {int(times[row])} times. {CURE}"
        )
    of_test = np.zeros(len(places), dtype=bool)
    of_test[places[count:]] = True
    return places, of_test


def _blocks(dat: list[Path], camera: int, size: int) -> Iterator[np.ndarray]:
    """uint8 [n, 1, size, size], the images of one camera in the files' order, some hundred at a time."""
    for path in dat:
        for pairs in _matrix(path, "uint8", (_images_of_a_part(), 2, SIDE, SIDE)):
            yield shrink(np.ascontiguousarray(pairs[:, camera : camera + 1]), size)


def _whole(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """A small matrix int32, as int64."""
    return np.concatenate(list(_matrix(path, "int32", shape))).astype(np.int64)


def _matrix(path: Path, dtype: str, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """The matrix in a gzipped file, some rows at a time, as it is decompressed.

    Raises:
        UserError: it is damaged, or not a matrix of this type and shape.
    """
    with damage(f"{path} is not this file of small NORB, or damaged", CURE), gzip.open(path) as opened:
        file = cast(BinaryIO, opened)
        magic, dimensions = struct.unpack("<Ii", _exactly(file, 8))
        if magic not in MAGIC:
            raise ValueError(f"it starts with 0x{magic:08X}, and no matrix of bytes or integers does")
        if not 0 <= dimensions <= 8:
            raise ValueError(f"it has {dimensions} dimensions")
        stored = max(3, dimensions)
        found = struct.unpack(f"<{stored}i", _exactly(file, 4 * stored))[:dimensions]
        if (MAGIC[magic], found) != (dtype, shape):
            raise ValueError(f"it should be {dtype} {list(shape)}, found {MAGIC[magic]} {list(found)}")
        yield from npy.blocks(file, shape, np.dtype(dtype).newbyteorder("<"))
        if file.read(1):
            raise ValueError("it goes on after the matrix")


def _exactly(file: BinaryIO, size: int) -> bytes:
    content = file.read(size)
    if len(content) < size:
        raise ValueError("it ends within its header")
    return content


def _images_of_a_part() -> int:
    return int(np.prod(list(SIZES.values()))) // len(PARTS)

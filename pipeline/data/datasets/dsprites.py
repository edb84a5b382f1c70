"""dSprites: 737,280 binary 64×64 images of a square, an ellipse or a heart, every combination of five factors once.

    factor       values   meaning
    shape             3   square, ellipse, heart
    scale             6   0.5, 0.6, ... 1
    orientation      40   2π o / 39: the last equals the first
    pos_x, pos_y     32   from left to right, from top to bottom

The published sixth factor, colour, has one value and is left out. ``source: drawn`` draws the images from their
geometry (``pipeline/data/shared/sprites.py``) and needs no network; ``source: official`` downloads the published file and reads it
in its own layout. They agree up to a few pixels in three billion.

Loic Matthey, Irina Higgins, Demis Hassabis, Alexander Lerchner, "dSprites: Disentanglement testing Sprites dataset",
2017, https://github.com/google-deepmind/dsprites-dataset (Apache License 2.0).
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Annotated, BinaryIO, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from pipeline.data.arrays.dataset import About, DownloadOptions, Prepared, fetched
from pipeline.data.arrays.grid import factor_table, rows, select
from pipeline.data.arrays.shrink import shrink
from pipeline.data.files.download import CHECKSUM_PATTERN, RemoteFile, fetch_files, local_path
from pipeline.data.shared import sprites
from pipeline.errors import UserError
from pipeline.store import npy
from pipeline.store.files import read_json, write_json

__all__ = ["ABOUT", "Options", "fetch", "prepare"]

SIZES = {"shape": 3, "scale": 6, "orientation": 40, "pos_x": 32, "pos_y": 32}
PERIODS = {"orientation": sprites.PERIOD}
PIXELS = sprites.SIZE**2

GEOMETRY = "geometry.json"
OFFICIAL = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
# The authors publish no checksum. The commit in the address fixes its files, and this is what `git ls-tree` shows there;
# projects that verify their downloads have md5:7da33b31b13a06f4b04a70402ce90c2e.
URL = f"https://github.com/google-deepmind/dsprites-dataset/raw/fa310c66517cfc1939d77fe17c725154efc97127/{OFFICIAL}"
CHECKSUM = "git:d98996d3f8ee1550e06b9d4ed78d0beb478910d5"

ABOUT = About(
    title="dSprites",
    what="737,280 binary 64×64 images of a white square, ellipse or heart on black: every combination of five factors once.",
    source="https://github.com/google-deepmind/dsprites-dataset",
    licence="Apache License 2.0",
    citation='L. Matthey, I. Higgins, D. Hassabis, A. Lerchner, "dSprites: Disentanglement testing Sprites dataset", 2017, '
    "https://github.com/google-deepmind/dsprites-dataset",
    factors=SIZES,
    files=(RemoteFile(OFFICIAL, (URL,), CHECKSUM),),
)


class Options(DownloadOptions):
    """``datasets.dsprites`` in params.yaml."""

    original_size: ClassVar[int] = sprites.SIZE

    source: Literal["drawn", "official"] = "drawn"
    """``drawn`` from geometry, or the ``official`` file, downloaded."""
    url: str = URL
    """Where the official file is: http(s)://, file:// or a path."""
    checksum: Annotated[str, Field(pattern=CHECKSUM_PATTERN)] = CHECKSUM
    """Of that file: ``sha256:...``, ``md5:...`` or ``git:...`` (the blob in its repository)."""
    subset: dict[str, int | list[int]] = Field(default_factory=dict)
    """Factor -> how many evenly spaced values to keep of it, or their indices; what is not named is kept whole.
    Orientations are spaced on the circle, so the last one, which equals the first, comes only with all 40."""

    @field_validator("subset")
    @classmethod
    def _is_a_choice(cls, value: dict[str, int | list[int]]) -> dict[str, int | list[int]]:
        select(value, SIZES, PERIODS)
        return value

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        local_path(value)
        return value

    @model_validator(mode="after")
    def _url_belongs_to_the_official_file(self) -> Options:
        for key in ("url", "checksum", "mirror"):
            if self.source == "drawn" and key in self.model_fields_set:
                raise ValueError(
                    f"{key} is of no use while images are drawn: set source to official, or remove it"
                )
        return self


def fetch(options: Options, folder: Path) -> None:
    """Write the geometry that images are drawn from, or download the official file.

    Raises:
        UserError: the file cannot be had, or is another than expected.
    """
    if options.source == "official":
        fetch_files([RemoteFile(OFFICIAL, (options.url,), options.checksum)], folder, options.mirror)
    elif read_json(folder / GEOMETRY) != sprites.description():
        write_json(folder / GEOMETRY, sprites.description())


def prepare(options: Options, folder: Path) -> Prepared:
    """The images of the chosen factors: bit-packed, or grey values where they are scaled down.

    Raises:
        UserError: the raw file is missing, damaged, or not in the published layout.
    """
    kept = select(options.subset, SIZES, PERIODS)
    sizes = tuple(len(indices) for indices in kept.values())
    if options.source == "official":
        path = fetched(folder, OFFICIAL, options.checksum)
        blocks = read(path, kept, tuple(SIZES.values()))
    else:
        if read_json(folder / GEOMETRY) != sprites.description():
            raise UserError(
                f"{folder / GEOMETRY} is missing, damaged, or not the geometry that this version draws. "
                f"Fetch it again: dvc repro --force fetch@{folder.name}"
            )
        blocks = draw(kept)
    size = options.image_size or sprites.SIZE
    packed = size == sprites.SIZE
    return Prepared(
        blocks=blocks if packed else _shrunk(blocks, size),
        count=int(np.prod(sizes)),
        storage="bits" if packed else "uint8",
        shape=(1, size, size),
        factors=factor_table(sizes),
        factor_names=tuple(SIZES),
        factor_sizes=sizes,
        grid=True,
        source="drawn from geometry (pipeline/data/shared/sprites.py)"
        if options.source == "drawn"
        else options.url,
        details={"factor_indices": kept},
    )


def draw(kept: Mapping[str, list[int]]) -> Iterator[np.ndarray]:
    """Bit-packed rows uint8 [n, 512], in the grid's order, a pose at every position at a time."""
    names = list(sprites.OUTLINES)
    pos_x, pos_y = np.array(kept["pos_x"]), np.array(kept["pos_y"])
    for shape, scale, orientation in product(kept["shape"], kept["scale"], kept["orientation"]):
        words = sprites.draw(names[shape], scale, orientation, pos_x, pos_y)
        yield words.astype(">u8").view(np.uint8).reshape(-1, PIXELS // 8)


def read(path: Path, kept: Mapping[str, list[int]], sizes: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Bit-packed rows [n, 512] of the chosen images of a file in the published layout, a few at a time.

    The layout: ``imgs`` uint8 [N, 64, 64] of 0 and 1; ``latents_classes`` int [N, 6], indices of colour and the five
    factors, in lexicographic order. Unpacked the images take 3 GB, so they are streamed. ``metadata`` is a pickle, and
    is not opened.

    Args:
        sizes: number of values of each of the five factors in the file.

    Raises:
        UserError: it is not such a file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            with archive.open("latents_classes.npy") as file:
                classes = np.lib.format.read_array(file, allow_pickle=False)
            if not np.array_equal(classes, factor_table((1, *sizes))):
                raise ValueError(
                    f"latents_classes {list(classes.shape)} is not the full grid of {sizes} in lexicographic order"
                )
            wanted = np.zeros(len(classes), dtype=bool)
            wanted[rows(np.stack(np.meshgrid(*kept.values(), indexing="ij"), axis=-1), sizes)] = True
            with archive.open("imgs.npy") as file:
                yield from _stream(file, wanted)  # type: ignore[arg-type]
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError) as error:
        raise UserError(
            f"{path} is not dSprites in its published layout: {error}. "
            "Correct url and checksum in params.yaml, or set source to drawn."
        ) from error


def _stream(file: BinaryIO, wanted: np.ndarray) -> Iterator[np.ndarray]:
    shape, dtype = npy.header(file)
    if shape != (len(wanted), sprites.SIZE, sprites.SIZE) or dtype != np.uint8:
        raise ValueError(
            f"imgs should be uint8 [{len(wanted)}, 64, 64] in C order, found {dtype} {list(shape)}"
        )
    start = 0
    for images in npy.blocks(file, shape, dtype):
        if images.max() > 1:
            raise ValueError(f"imgs should hold 0 and 1, found {images.max()}")
        yield np.packbits(images[wanted[start : start + len(images)]].reshape(-1, PIXELS), axis=1)
        start += len(images)


def _shrunk(blocks: Iterator[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """uint8 [n, 1, size, size] from blocks of bit-packed rows."""
    for block in blocks:
        white = 255 * np.unpackbits(block, axis=1).reshape(-1, 1, sprites.SIZE, sprites.SIZE)
        yield shrink(white, size)

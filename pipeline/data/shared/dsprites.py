"""What dSprites and its coloured variants share: options, files, and binary images, drawn or read.

``source: drawn`` draws the images from their geometry (``pipeline/data/shared/sprites.py``); ``source:
official`` reads the published file. A variant stores the same binary images; a nuisance gives them colours
each time they are drawn (``vaecore.nuisances``). Factors, files and citation are in
``pipeline/data/datasets/dsprites.py``.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Annotated, BinaryIO, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from pipeline.data.arrays.dataset import About, DownloadOptions, Prepared, fetched
from pipeline.data.arrays.grid import factor_table, rows, select
from pipeline.data.arrays.shrink import shrink
from pipeline.data.files.damage import damage
from pipeline.data.files.download import CHECKSUM_PATTERN, RemoteFile, fetch_files, local_path
from pipeline.data.shared import sprites
from pipeline.errors import UserError
from pipeline.store import npy
from pipeline.store.files import read_json, write_json

__all__ = ["ABOUT", "DspritesOptions", "coloured", "fetch", "prepare", "variant"]

SIZES = {"shape": 3, "scale": 6, "orientation": 40, "pos_x": 32, "pos_y": 32}
PERIODS = {"orientation": sprites.PERIOD}
PIXELS = sprites.SIZE**2

GEOMETRY = "geometry.json"
OFFICIAL = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
# The authors publish no checksum. The commit in the address determines its files, and this is what `git
# ls-tree` shows for it; projects that verify their downloads use md5:7da33b31b13a06f4b04a70402ce90c2e.
URL = (
    "https://github.com/google-deepmind/dsprites-dataset/raw/"
    f"fa310c66517cfc1939d77fe17c725154efc97127/{OFFICIAL}"
)
CHECKSUM = "git:d98996d3f8ee1550e06b9d4ed78d0beb478910d5"

ABOUT = About(
    title="dSprites",
    what="737,280 binary 64×64 images of a white square, ellipse or heart on black: every combination of "
    "five factors once.",
    source="https://github.com/google-deepmind/dsprites-dataset",
    licence="Apache License 2.0",
    citation='L. Matthey, I. Higgins, D. Hassabis, A. Lerchner, "dSprites: Disentanglement testing Sprites '
    'dataset", 2017, '
    "https://github.com/google-deepmind/dsprites-dataset",
    factors=SIZES,
    files=(RemoteFile(OFFICIAL, (URL,), CHECKSUM),),
)


class DspritesOptions(DownloadOptions):
    """The keys of dSprites and its variants."""

    original_size: ClassVar[int] = sprites.SIZE

    source: Literal["drawn", "official"] = "drawn"
    """``drawn`` from geometry, or the ``official`` file, downloaded."""
    url: str = URL
    """The address of the official file: http(s)://, file:// or a path."""
    checksum: Annotated[str, Field(pattern=CHECKSUM_PATTERN)] = CHECKSUM
    """Of that file: ``sha256:...``, ``md5:...`` or ``git:...`` (the blob in its repository)."""
    subset: dict[str, int | list[int]] = Field(default_factory=dict)
    """Factor -> how many evenly spaced values to keep of it, or their indices. Other factors keep all values.
    Orientations are spaced on the circle, so the last one, which equals the first, is kept only if all 40
    are."""

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
    def _url_belongs_to_the_official_file(self) -> DspritesOptions:
        for key in ("url", "checksum", "mirror"):
            if self.source == "drawn" and key in self.model_fields_set:
                raise ValueError(
                    f"{key} has no effect while images are drawn: set source to official, or remove it"
                )
        return self


def fetch(options: DspritesOptions, folder: Path) -> None:
    """Write the geometry that images are drawn from, or download the official file.

    Raises:
        UserError: the file cannot be downloaded, or is not the expected one.
    """
    if options.source == "official":
        fetch_files([RemoteFile(OFFICIAL, (options.url,), options.checksum)], folder, options.mirror)
    elif read_json(folder / GEOMETRY) != sprites.description():
        write_json(folder / GEOMETRY, sprites.description())


def prepare(options: DspritesOptions, folder: Path) -> Prepared:
    """The images of the chosen factors: bit-packed, or grey values if they are scaled down.

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
        source="drawn from geometry" if options.source == "drawn" else options.url,
        details={"factor_indices": kept},
    )


def variant(title: str, what: str, picture_licence: str = "") -> About:
    """The card of a data set whose images are those of dSprites, in colour.

    Args:
        picture_licence: of a picture behind the sprites.
    """
    return replace(
        ABOUT,
        title=title,
        what=what,
        licence=f"{ABOUT.licence}{picture_licence and f'; {picture_licence}'}",
        citation=f"{ABOUT.citation}; as in F. Locatello et al., Challenging Common Assumptions in the "
        "Unsupervised Learning of Disentangled Representations, 2019, arXiv:1811.12359",
    )


def coloured(plain: Prepared, nuisance: str, picture: np.ndarray | None = None) -> Prepared:
    """The same stored images, which a nuisance gives three channels each time they are drawn.

    Args:
        picture: uint8 [3, H', W'], the picture from which the nuisance cuts backgrounds.
    """
    return replace(plain, shape=(3, *plain.shape[1:]), nuisance=nuisance, picture=picture)


def draw(kept: Mapping[str, list[int]]) -> Iterator[np.ndarray]:
    """Bit-packed rows uint8 [n, 512], in the grid's order; a block has one pose at every position."""
    names = list(sprites.OUTLINES)
    pos_x, pos_y = np.array(kept["pos_x"]), np.array(kept["pos_y"])
    for shape, scale, orientation in product(kept["shape"], kept["scale"], kept["orientation"]):
        words = sprites.draw(names[shape], scale, orientation, pos_x, pos_y)
        yield words.astype(">u8").view(np.uint8).reshape(-1, PIXELS // 8)


def read(path: Path, kept: Mapping[str, list[int]], sizes: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Bit-packed rows [n, 512] of the chosen images of a file in the published layout, a few at a time.

    The layout: ``imgs`` uint8 [N, 64, 64] of 0 and 1; ``latents_classes`` int [N, 6], indices of colour and
    the five factors, in lexicographic order. Unpacked, the images need 3 GB, so they are read in blocks.
    ``metadata`` is a pickle and is not opened.

    Args:
        sizes: number of values of each of the five factors in the file.

    Raises:
        UserError: the file has another layout, or is damaged.
    """
    cure = "Correct url and checksum in params.yaml, or set source to drawn."
    with damage(f"{path} is not dSprites in its published layout", cure), zipfile.ZipFile(path) as archive:
        with archive.open("latents_classes.npy") as file:
            classes = np.lib.format.read_array(file, allow_pickle=False)
        if not np.array_equal(classes, factor_table((1, *sizes))):
            raise ValueError(
                f"latents_classes {list(classes.shape)} is not the full grid of {sizes} in lexicographic "
                "order"
            )
        chosen = np.zeros(len(classes), dtype=bool)
        chosen[rows(np.stack(np.meshgrid(*kept.values(), indexing="ij"), axis=-1), sizes)] = True
        with archive.open("imgs.npy") as file:
            yield from _stream(file, chosen)  # type: ignore[arg-type]


def _stream(file: BinaryIO, chosen: np.ndarray) -> Iterator[np.ndarray]:
    shape, dtype = npy.header(file)
    if shape != (len(chosen), sprites.SIZE, sprites.SIZE) or dtype != np.uint8:
        raise ValueError(
            f"imgs should be uint8 [{len(chosen)}, 64, 64] in C order, found {dtype} {list(shape)}"
        )
    start = 0
    for images in npy.blocks(file, shape, dtype):
        if images.max() > 1:
            raise ValueError(f"imgs should hold 0 and 1, found {images.max()}")
        yield np.packbits(images[chosen[start : start + len(images)]].reshape(-1, PIXELS), axis=1)
        start += len(images)


def _shrunk(blocks: Iterator[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """uint8 [n, 1, size, size] from blocks of bit-packed rows."""
    for block in blocks:
        white = 255 * np.unpackbits(block, axis=1).reshape(-1, 1, sprites.SIZE, sprites.SIZE)
        yield shrink(white, size)

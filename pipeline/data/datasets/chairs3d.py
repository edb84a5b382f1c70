"""3D Chairs: 86,366 renders of 1,393 chair models in colour on white, every model from the same 62 views.

    factor       values   meaning
    model          1393   the chair, in the order of the models' names
    elevation         2   of the camera, 20°, 30°
    rotation         31   around the vertical, floor(360° r / 31)

``rendered_chairs.tar`` has a folder for each model, named by an id of 32 hexadecimal digits, and in it a PNG
file for each view, named by its angles:

    rendered_chairs/<model>/renders/image_NNN_pEEE_tRRR_r096.png       EEE elevation, RRR rotation, in degrees

NNN counts the files of a model and has a gap between the elevations, so it is not used; neither is
``all_chair_names.mat``. Images are read in place: nothing is unpacked.

According to all sources, renders are 600×600; the first render decides. They are cropped if ``crop`` is set,
then scaled down by averaging areas, by default to 64×64. No crop is standard: published loaders use the whole
render (YannDubs/disentangling-vae in practice), or central squares of 300, 400 or 450 pixels, or squares of
300 or 430 off the centre. The default here is the central 400; whether it cuts off a part of some chair could
not be checked. Some models are almost the same chair; others (FlowNet) mention 809 distinct ones, but no list
of them was found, so all are kept.

No checksum of the archive is published. The first download determines the expected file, unless params.yaml
names a checksum.

Mathieu Aubry, Daniel Maturana, Alexei Efros, Bryan Russell, Josef Sivic, "Seeing 3D chairs: exemplar
part-based 2D-3D alignment using a large dataset of CAD models", CVPR 2014, pp. 3762-3769.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from PIL import Image, UnidentifiedImageError
from pydantic import Field, model_validator

from pipeline.data.arrays.dataset import About, DownloadOptions, Prepared, fetched
from pipeline.data.arrays.grid import factor_table
from pipeline.data.arrays.shrink import shrink
from pipeline.data.files.archives import Archive, open_archive
from pipeline.data.files.download import CHECKSUM_PATTERN, RemoteFile, fetch_files
from pipeline.errors import UserError

__all__ = ["ABOUT", "Options", "fetch", "prepare"]

MODELS = 1393
ELEVATIONS = (20, 30)
ROTATIONS = tuple(360 * r // 31 for r in range(31))

FILES = (
    RemoteFile(
        "rendered_chairs.tar",
        ("https://www.di.ens.fr/willow/research/seeing3Dchairs/data/rendered_chairs.tar",),
        None,
    ),
)

VIEW = re.compile(
    r"rendered_chairs/(?P<model>[^/]+)/renders/image_\d+_p(?P<elevation>\d+)_t(?P<rotation>\d+)_r\d+\.png"
)
MOST = {"most_files": 200_000, "most_bytes": 100 << 30}
"""Limits of the archive: more than its renders would need without compression."""
LARGEST_SIDE = 2048
BLOCK = 248
"""Images of a block."""
WORKERS = 4
"""Threads that decode and scale: both release Python's lock. Each needs some 20 MB."""
CURE = (
    "Remove it and the .sha256 file beside it, and fetch it again: dvc repro --force fetch@chairs3d. "
    "If that does not help, please report this."
)

ABOUT = About(
    title="3D Chairs",
    what="86,366 renders of 1,393 chair models in colour on white, 64×64 as a rule: each model at 2 "
    "elevations and 31 rotations.",
    source="https://www.di.ens.fr/willow/research/seeing3Dchairs",
    licence="none stated for the renders (the authors' code is under the MIT License)",
    citation='M. Aubry, D. Maturana, A. Efros, B. Russell, J. Sivic, "Seeing 3D chairs: exemplar part-based '
    '2D-3D alignment using a large dataset of CAD models", IEEE Conference on Computer Vision and Pattern '
    "Recognition (CVPR), 2014, pp. 3762-3769",
    factors={"model": MODELS, "elevation": len(ELEVATIONS), "rotation": len(ROTATIONS)},
    files=FILES,
)


class Options(DownloadOptions):
    """``datasets.chairs3d`` in params.yaml."""

    original_size: ClassVar[int | None] = None

    image_size: int | None = 64
    """Pixels along a side, by averaging areas; null keeps the size of the images, cropped or not."""
    crop: Annotated[int, Field(ge=DownloadOptions.smallest_size)] | None = 400
    """Pixels along a side of the central square of a render that is kept; null keeps all of it. No crop is
    standard."""
    checksum: Annotated[str, Field(pattern=CHECKSUM_PATTERN)] | None = None
    """Of the archive: ``sha256:...`` or ``md5:...``; null expects the file of the first download."""

    @model_validator(mode="after")
    def _crop_is_not_smaller_than_the_image(self) -> Options:
        if self.crop is not None and self.image_size is not None and self.crop < self.image_size:
            raise ValueError(
                f"crop: images are scaled down only, so it must be at least image_size ({self.image_size}), "
                f"got {self.crop}"
            )
        return self


def fetch(options: Options, folder: Path) -> None:
    """Download the archive.

    Raises:
        UserError: it cannot be downloaded, or is not the expected file.
    """
    fetch_files([replace(file, checksum=options.checksum) for file in FILES], folder, options.mirror)


def prepare(options: Options, folder: Path) -> Prepared:
    """The images in the order of the grid.

    Raises:
        UserError: the archive is missing or damaged, has other models or views than it should have, or its
            images are damaged or smaller than crop or image_size.
    """
    path = fetched(folder, FILES[0].name, options.checksum)
    with open_archive(path, **MOST) as archive:
        models, views = _views(path, archive)
        side = len(_render(path, views[0], archive.read(views[0])))
    crop = options.crop or side
    size = options.image_size or crop
    for key, pixels in (("crop", crop), ("image_size", size)):
        if pixels > side:
            raise UserError(
                f"params.yaml: datasets.chairs3d.{key}: the renders in {path} have {side} pixels along a "
                f"side, got {pixels}. Set it to {side} or less."
            )
    sizes = (len(models), len(ELEVATIONS), len(ROTATIONS))
    return Prepared(
        blocks=_blocks(path, views, side, crop, size),
        count=len(views),
        storage="uint8",
        shape=(3, size, size),
        factors=factor_table(sizes),
        factor_names=("model", "elevation", "rotation"),
        factor_sizes=sizes,
        grid=True,
        details={"models": models, "crop": crop},
    )


def _views(path: Path, archive: Archive) -> tuple[list[str], list[str]]:
    """Names of the models, and of the members, in the order of the grid.

    Raises:
        UserError: the archive has other models or views than it should have.
    """
    found: dict[str, dict[tuple[int, int], str]] = {}
    for name in archive.names:
        if match := VIEW.fullmatch(name):
            view = int(match["elevation"]), int(match["rotation"])
            other = found.setdefault(match["model"], {}).setdefault(view, name)
            if other != name:
                raise UserError(f"{path}: members {other!r} and {name!r} are the same view. {CURE}")
    models = sorted(found)
    expected = list(product(ELEVATIONS, ROTATIONS))
    for model in models:
        _require_all(path, model, found[model], expected)
    if len(models) != MODELS:
        raise UserError(
            f"{path} should have renders of {MODELS:,} models (rendered_chairs/<model>/renders/), found "
            f"{len(models):,}. {CURE}"
        )
    return models, [found[model][view] for model in models for view in expected]


def _require_all(
    path: Path, model: str, views: Mapping[tuple[int, int], str], expected: list[tuple[int, int]]
) -> None:
    for what, odd in (
        ("lacks", [view for view in expected if view not in views]),
        ("has unknown views", sorted(set(views) - set(expected))),
    ):
        if odd:
            named = ", ".join(f"p{elevation:03} t{rotation:03}" for elevation, rotation in odd[:3])
            raise UserError(
                f"{path}: model {model!r} {what} {named}{', ...' if len(odd) > 3 else ''}: {len(odd)} of "
                f"{len(expected)} views. {CURE}"
            )


def _blocks(path: Path, views: list[str], side: int, crop: int, size: int) -> Iterator[np.ndarray]:
    """uint8 [n, 3, size, size], some hundred images at a time."""
    scaled = partial(_scaled, path, side, crop, size)
    with open_archive(path, **MOST) as archive, ThreadPoolExecutor(WORKERS) as pool:
        for start in range(0, len(views), BLOCK):
            names = views[start : start + BLOCK]
            yield np.concatenate(list(pool.map(scaled, names, map(archive.read, names))))


def _scaled(path: Path, side: int, crop: int, size: int, name: str, content: bytes) -> np.ndarray:
    """uint8 [1, 3, size, size], the central square of a render, scaled down.

    Raises:
        UserError: the render is damaged, or has another size than the first.
    """
    pixels = _render(path, name, content)
    if len(pixels) != side:
        raise UserError(
            f"{path}: member {name!r} has {len(pixels)} pixels along a side, the first render {side}. {CURE}"
        )
    start = (side - crop) // 2
    square = pixels[start : start + crop, start : start + crop]
    return shrink(np.ascontiguousarray(square.transpose(2, 0, 1))[None], size)


def _render(path: Path, name: str, content: bytes) -> np.ndarray:
    """uint8 [side, side, 3], a PNG file's image in RGB, on white if it is transparent.

    Raises:
        UserError: it is damaged, no PNG, not square or absurdly large.
    """
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as opened:
            opened.verify()  # the checksums, which decoding ignores
        with Image.open(io.BytesIO(content), formats=["PNG"]) as opened:
            width, height = opened.size
            if not width == height <= LARGEST_SIDE:
                raise ValueError(
                    f"it is {width}×{height}, expected a square of up to {LARGEST_SIDE} pixels along a side"
                )
            image: Image.Image = opened
            if image.mode.startswith("I"):
                raise ValueError("it has more than 8 bits per colour")
            if "A" in image.getbands() or "transparency" in image.info:
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
            return np.asarray(image.convert("RGB"))
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        zlib.error,
        struct.error,
        Image.DecompressionBombError,
    ) as error:
        what = "it does not begin like one" if isinstance(error, UnidentifiedImageError) else error
        raise UserError(f"{path}: member {name!r} is no valid PNG image: {what}. {CURE}") from error

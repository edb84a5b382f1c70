"""Scream-dSprites: dSprites on a crop of a picture that is drawn anew each time an image is looked at.

    x = (1 - m) b + m (1 - b),   m the binary image,   b = ½ (a random crop of the picture + c),   c ~ U(0, 1)³

The sprite is where the background is inverted. Stored are the binary images and the picture; ``vaecore.nuisances`` dresses the images as
they are drawn. Where images are looked at once, as in evaluation, the background of each is always the same.

The name is that of the picture in the original, Munch's The Scream, scaled to 274 rows; no file of it that may be passed on comes with
a package. Here it is a photograph of a pagoda that scikit-learn bundles (CC BY 2.0, by danielbuechele), scaled to 213×320; ``picture``
takes any other, and with The Scream there, the data set is the published one.

F. Locatello, S. Bauer, M. Lucic, G. Rätsch, S. Gelly, B. Schölkopf, O. Bachem, "Challenging Common Assumptions in the
Unsupervised Learning of Disentangled Representations", 2019, arXiv:1811.12359.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from pydantic import field_validator

from pipeline.data.arrays.dataset import Prepared, fetched
from pipeline.data.datasets import dsprites
from pipeline.data.files.download import download, holds, local_path
from pipeline.data.shared import sprites
from pipeline.errors import UserError
from pipeline.store.files import atomic

__all__ = ["ABOUT", "Options", "fetch", "prepare"]

PICTURE = "picture"
BUNDLED = "china.jpg"
CHECKSUM = "sha256:8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29"
"""of scikit-learn's file."""

ABOUT = replace(
    dsprites.ABOUT,
    title="Scream-dSprites",
    what="dSprites, 64×64×3, on a crop of a picture, drawn anew each time, which the sprite inverts: a nuisance that no factor "
    "tells of.",
    licence=f"{dsprites.ABOUT.licence}; the picture that comes with it: CC BY 2.0, by danielbuechele, bundled with scikit-learn",
    citation=f"{dsprites.ABOUT.citation}; as in F. Locatello et al., Challenging Common Assumptions in the Unsupervised Learning "
    "of Disentangled Representations, 2019, arXiv:1811.12359",
)


class Options(dsprites.Options):
    """``datasets.scream_dsprites`` in params.yaml: those of dsprites, and the picture."""

    picture: str | None = None
    """An image file to cut backgrounds from, as it is; null takes the one that comes with scikit-learn, at half its size."""

    @field_validator("picture")
    @classmethod
    def _is_a_file(cls, value: str | None) -> str | None:
        if value is not None and local_path(value) is None:
            raise ValueError("a path to an image file is wanted, not an address")
        return value


def fetch(options: Options, folder: Path) -> None:
    """As for dsprites, and the picture.

    Raises:
        UserError: there is no such picture, or scikit-learn bundles another.
    """
    dsprites.fetch(options, folder)
    path = folder / PICTURE
    if options.picture is not None:
        source = Path(options.picture)
        if not source.is_file():
            raise UserError(
                f"{source.absolute()}: there is no such file. Correct datasets.scream_dsprites.picture in params.yaml; a "
                "relative path starts at the root of the repository."
            )
        with atomic(path) as temporary:
            temporary.write_bytes(source.read_bytes())
    elif not holds(path, CHECKSUM):
        bundled = resources.files("sklearn.datasets.images") / BUNDLED
        with resources.as_file(bundled) as source:
            download(str(source), path, CHECKSUM)


def prepare(options: Options, folder: Path) -> Prepared:
    """The images of dsprites, and the picture that they are put on when they are drawn.

    Raises:
        UserError: the picture is missing, is none, or is smaller than the images.
    """
    plain = dsprites.prepare(options, folder)
    own = options.picture is not None
    picture = _read(folder / PICTURE) if own else _halved(_read(fetched(folder, PICTURE, CHECKSUM)))
    size = options.image_size or sprites.SIZE
    if min(picture.shape[1:]) < size:
        raise UserError(
            f"{options.picture} has {picture.shape[1]}×{picture.shape[2]} pixels; backgrounds of {size}×{size} are cut from it, so "
            "it has to be larger. Take another for datasets.scream_dsprites.picture."
        )
    return replace(plain, shape=(3, *plain.shape[1:]), nuisance="background", picture=picture)


def _read(path: Path) -> np.ndarray:
    """uint8 [3, H, W]"""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB")).transpose(2, 0, 1).copy()
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise UserError(
            f"{path} is no image that can be read ({error}). Correct datasets.scream_dsprites.picture in params.yaml, then "
            "dvc repro --force fetch@scream_dsprites"
        ) from None


def _halved(picture: np.ndarray) -> np.ndarray:
    """Means of blocks of 2×2 pixels, halves rounded up; an odd last row or column goes."""
    channels, height, width = picture.shape
    even = picture[:, : height // 2 * 2, : width // 2 * 2].astype(np.uint16)
    sums = even.reshape(channels, height // 2, 2, width // 2, 2).sum(axis=(2, 4))
    return ((sums + 2) // 4).astype(np.uint8)

"""Scream-dSprites: dSprites on a crop of a picture that is drawn anew each time an image is drawn.

    x = (1 - m) b + m (1 - b),   m the binary image,   b = ½ (random crop of the picture + c),   c ~ U(0, 1)³

The sprite is where the background is inverted. The binary images and the picture are stored;
``vaecore.nuisances`` adds the background when images are drawn. An evaluation draws each image once, and
always with the same background.

The original picture, which gave the data set its name, is Munch's The Scream, scaled to 274 rows; no package
has a file of it with a free licence. The default here is a photograph of a pagoda that scikit-learn bundles
(CC BY 2.0, by danielbuechele), scaled to 213×320. The option ``picture`` replaces it; with The Scream, the
data set is the published one.

F. Locatello, S. Bauer, M. Lucic, G. Rätsch, S. Gelly, B. Schölkopf, O. Bachem, "Challenging Common
Assumptions in the Unsupervised Learning of Disentangled Representations", 2019, arXiv:1811.12359.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from pydantic import field_validator

from pipeline.data.arrays.dataset import Prepared, fetched
from pipeline.data.files.download import download, holds, local_path
from pipeline.data.shared import dsprites, sprites
from pipeline.data.shared.dsprites import DspritesOptions
from pipeline.errors import UserError
from pipeline.store.files import atomic

__all__ = ["ABOUT", "Options", "fetch", "prepare"]

PICTURE = "picture"
BUNDLED = "china.jpg"
CHECKSUM = "sha256:8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29"
"""of scikit-learn's file."""

ABOUT = dsprites.variant(
    "Scream-dSprites",
    "dSprites, 64×64×3, on a crop of a picture, drawn anew each time, which the sprite inverts: a nuisance "
    "that no factor describes.",
    "the picture that comes with it: CC BY 2.0, by danielbuechele, bundled with scikit-learn",
)


class Options(DspritesOptions):
    """``datasets.scream_dsprites`` in params.yaml: the keys of dsprites, and the picture."""

    picture: str | None = None
    """An image file from which backgrounds are cut; null uses the one that scikit-learn bundles, at half its
    size."""

    @field_validator("picture")
    @classmethod
    def _is_a_file(cls, value: str | None) -> str | None:
        if value is not None and local_path(value) is None:
            raise ValueError("must be a path to an image file, not an address")
        return value


def fetch(options: Options, folder: Path) -> None:
    """Fetch what dsprites needs, and the picture.

    Raises:
        UserError: there is no such picture, or scikit-learn bundles another.
    """
    dsprites.fetch(options, folder)
    path = folder / PICTURE
    if options.picture is not None:
        source = Path(options.picture)
        if not source.is_file():
            raise UserError(
                f"{source.absolute()}: there is no such file. Correct datasets.scream_dsprites.picture in "
                "params.yaml; a relative path starts at the root of the repository."
            )
        with atomic(path) as temporary:
            temporary.write_bytes(source.read_bytes())
    elif not holds(path, CHECKSUM):
        bundled = resources.files("sklearn.datasets.images") / BUNDLED
        with resources.as_file(bundled) as source:
            download(str(source), path, CHECKSUM)


def prepare(options: Options, folder: Path) -> Prepared:
    """The images of dsprites, and the picture from which their backgrounds are cut each time they are drawn.

    Raises:
        UserError: the picture is missing, cannot be read, or is smaller than the images.
    """
    plain = dsprites.prepare(options, folder)
    own = options.picture is not None
    picture = _read(folder / PICTURE) if own else _halved(_read(fetched(folder, PICTURE, CHECKSUM)))
    size = options.image_size or sprites.SIZE
    if min(picture.shape[1:]) < size:
        raise UserError(
            f"{options.picture} has {picture.shape[1]}×{picture.shape[2]} pixels, and backgrounds of "
            f"{size}×{size} are cut from it. Set datasets.scream_dsprites.picture to a larger one."
        )
    return dsprites.coloured(plain, "background", picture)


def _read(path: Path) -> np.ndarray:
    """uint8 [3, H, W]"""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB")).transpose(2, 0, 1).copy()
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise UserError(
            f"{path} is no image that can be read ({error}). Correct datasets.scream_dsprites.picture in "
            "params.yaml, then dvc repro --force fetch@scream_dsprites"
        ) from None


def _halved(picture: np.ndarray) -> np.ndarray:
    """Means of blocks of 2×2 pixels, halves rounded up; an odd last row or column is dropped."""
    channels, height, width = picture.shape
    even = picture[:, : height // 2 * 2, : width // 2 * 2].astype(np.uint16)
    sums = even.reshape(channels, height // 2, 2, width // 2, 2).sum(axis=(2, 4))
    return ((sums + 2) // 4).astype(np.uint8)

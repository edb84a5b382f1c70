"""What the two data sets of the user's own share: a folder of images and a file of arrays.

``fetch`` copies nothing. It reads the user's files once, reports what is wrong with them, and writes
``data/raw/<name>/manifest.json``: what it found, with the SHA-256 of every file. ``prepare`` reads the files
again and refuses any that differ from the manifest.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, ClassVar

from pydantic import field_validator

from pipeline.data.arrays.dataset import CommonOptions
from pipeline.data.arrays.shrink import LARGEST as LARGEST_SHRUNK
from pipeline.errors import UserError
from pipeline.store.files import read_json, write_json

__all__ = [
    "MANIFEST",
    "OwnOptions",
    "again",
    "details",
    "final_side",
    "known_manifest",
    "read_manifest",
    "write_manifest",
]

MANIFEST = "manifest.json"
SIDES = (8, 128)
"""The smallest and the largest side of images that the networks accept, in pixels."""


class OwnOptions(CommonOptions):
    """The keys of data sets of the user's own."""

    original_size: ClassVar[int | None] = None

    path: str
    """Where the data are: an absolute path, one from the root of the repository, or one from ``~``, the home
    folder."""
    title: str = "Own data"
    """Its name in reports and MLflow."""
    licence: str = "your own"
    """What others may do with the data."""
    citation: str = "your own, unpublished"
    """How to cite the data."""

    @field_validator("image_size")
    @classmethod
    def _networks_accept(cls, value: int | None) -> int | None:
        if value is not None and value > SIDES[1]:
            raise ValueError(f"networks need images of {SIDES[0]} to {SIDES[1]} pixels along a side")
        return value

    @property
    def place(self) -> Path:
        return Path(self.path).expanduser()


def again(folder: Path) -> str:
    """The cure if data have changed. ``folder`` is data/raw/<name>."""
    return f"If the change is intended, read them again: dvc repro --force fetch@{folder.name}"


def details(options: OwnOptions, manifest: dict[str, Any]) -> dict[str, Any]:
    """Title, licence and citation from params.yaml, which replace the card's, and the manifest's digest."""
    return {
        "title": options.title,
        "licence": options.licence,
        "citation": options.citation,
        "manifest": manifest["digest"],
    }


def final_side(where: Path | str, height: int, width: int, options: OwnOptions, uncut: str) -> int:
    """Pixels along a side of the prepared images, from the size of the original ones.

    Args:
        where: the file or array, for messages.
        uncut: the cure if the images are no squares.

    Raises:
        UserError: the networks cannot use images of this size, and ``image_size`` does not correct it.
    """
    smallest, largest = SIDES
    found = f"{where}: {width}×{height} pixels"
    if height != width:
        raise UserError(f"{found}, and networks need squares. {uncut}")
    if height < smallest:
        raise UserError(
            f"{found}, and networks need {smallest} to {largest} along a side. Use larger images."
        )
    if height > LARGEST_SHRUNK:
        raise UserError(
            f"{found}, and at most {LARGEST_SHRUNK:,} along a side can be scaled down. Make it smaller."
        )
    if options.image_size is None and height > largest:
        raise UserError(
            f"{found}, and networks need {smallest} to {largest} along a side. Add `image_size: 64` in "
            "params.yaml."
        )
    if options.image_size is not None and height < options.image_size:
        raise UserError(
            f"{found}, fewer than image_size: {options.image_size}, and images are only scaled down. "
            f"Set image_size to {height} or less in params.yaml, or use larger images."
        )
    return options.image_size or height


def write_manifest(folder: Path, content: dict[str, Any]) -> None:
    """Write what was found, with its digest. A manifest with the same content is left alone."""
    manifest = {**content, "digest": _digest(content)}
    if read_json(folder / MANIFEST) != manifest:
        write_json(folder / MANIFEST, manifest)


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest that fetch wrote; None if there is none, or a damaged one."""
    manifest = read_json(folder / MANIFEST)
    if not isinstance(manifest, dict):
        return None
    content = {key: value for key, value in manifest.items() if key != "digest"}
    return manifest if manifest.get("digest") == _digest(content) else None


def known_manifest(folder: Path) -> dict[str, Any]:
    """The manifest that fetch wrote.

    Raises:
        UserError: there is no manifest, or a damaged one.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        raise UserError(
            f"{folder / MANIFEST} is missing or damaged. Make it again: dvc repro --force fetch@{folder.name}"
        )
    return manifest


def _digest(content: dict[str, Any]) -> str:
    return f"sha256:{hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()}"

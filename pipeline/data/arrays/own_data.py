"""The user's own data: what a folder of images and a file of arrays have in common.

``fetch`` copies nothing. It reads the user's files once, tells what is wrong with them, and writes
``data/raw/<name>/manifest.json``: what was found, with the SHA-256 of every file. ``prepare`` reads the files again and
takes nothing that the manifest does not know.
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
"""Pixels along a side that the networks take, from and to."""


class OwnOptions(CommonOptions):
    """The keys of data sets that are the user's own."""

    original_size: ClassVar[int | None] = None

    path: str
    """Where the data are: absolute, from the root of the repository, or from ``~``, one's home."""
    title: str = "Own data"
    """What reports and MLflow call it."""
    licence: str = "your own"
    """What others may do with the data."""
    citation: str = "your own, unpublished"
    """Whose they are."""

    @field_validator("image_size")
    @classmethod
    def _what_networks_take(cls, value: int | None) -> int | None:
        if value is not None and value > SIDES[1]:
            raise ValueError(f"networks take images of {SIDES[0]} to {SIDES[1]} pixels along a side")
        return value

    @property
    def place(self) -> Path:
        return Path(self.path).expanduser()


def again(folder: Path) -> str:
    """What to do when data have changed. ``folder`` is data/raw/<name>."""
    return f"If that is meant, take note of it: dvc repro --force fetch@{folder.name}"


def details(options: OwnOptions, manifest: dict[str, Any]) -> dict[str, Any]:
    """What the user says of the data, instead of what the data set's card says; and the manifest's digest."""
    return {
        "title": options.title,
        "licence": options.licence,
        "citation": options.citation,
        "manifest": manifest["digest"],
    }


def final_side(where: Path | str, height: int, width: int, options: OwnOptions, uncut: str) -> int:
    """Pixels along a side of images as they are stored, from those they come with.

    Args:
        where: what is of that size, for messages.
        uncut: what to do where they are no squares.

    Raises:
        UserError: the networks cannot take them, nor can ``image_size`` make that so.
    """
    smallest, largest = SIDES
    found = f"{where}: {width}×{height} pixels"
    if height != width:
        raise UserError(f"{found}, and networks take squares. {uncut}")
    if height < smallest:
        raise UserError(
            f"{found}, and networks take {smallest} to {largest} along a side. Use larger images."
        )
    if height > LARGEST_SHRUNK:
        raise UserError(
            f"{found}, and {LARGEST_SHRUNK:,} along a side are scaled down at most. Make it smaller."
        )
    if options.image_size is None and height > largest:
        raise UserError(
            f"{found}, and networks take {smallest} to {largest} along a side. Add `image_size: 64` in params.yaml."
        )
    if options.image_size is not None and height < options.image_size:
        raise UserError(
            f"{found}, fewer than image_size: {options.image_size}, and images are scaled down only. "
            f"Set image_size to {height} or less in params.yaml, or use larger images."
        )
    return options.image_size or height


def write_manifest(folder: Path, content: dict[str, Any]) -> None:
    """Write what was found, with its digest; a manifest that says so already is left alone."""
    manifest = {**content, "digest": _digest(content)}
    if read_json(folder / MANIFEST) != manifest:
        write_json(folder / MANIFEST, manifest)


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """What fetch found; None where there is no manifest, or a damaged one."""
    manifest = read_json(folder / MANIFEST)
    if not isinstance(manifest, dict):
        return None
    content = {key: value for key, value in manifest.items() if key != "digest"}
    return manifest if manifest.get("digest") == _digest(content) else None


def known_manifest(folder: Path) -> dict[str, Any]:
    """What fetch found.

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

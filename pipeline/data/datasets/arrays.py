"""A file of the user's own arrays: images, factors, labels, attributes. See docs/your-own-data.md.

    images       [N, H, W], [N, H, W, C] or [N, C, H, W], C 1 or 3 (red, green, blue)
                 uint8                             0 black to 255 white, stored as they are
                 bool, or uint8 of only 0 and 1    binary, 1 white, stored bit-packed
                 float                             0 black to 1 white, stored as floor(255 x + 1/2)
    factors      whole numbers [N, K]: renumbered from 0 without gaps, in ascending order of their values
    labels       whole numbers [N]
    attributes   numbers [N, A]: continuous quantities

The file is .npy, .npz or .h5; only ``images`` is required. If every combination of factors appears exactly
once, in whatever order, all arrays are stored in lexicographic order, the last factor fastest: the full grid
from which interventional metrics draw.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from pipeline.data.arrays.dataset import About, Prepared
from pipeline.data.arrays.ground_truth import (
    attribute_values,
    factor_indices,
    grid_places,
    label_numbers,
    placed,
)
from pipeline.data.arrays.image_array import blocks, is_binary, layout, value_range
from pipeline.data.arrays.own_data import (
    OwnOptions,
    again,
    details,
    final_side,
    known_manifest,
    read_manifest,
    write_manifest,
)
from pipeline.data.files.array_file import ENDINGS, Array, arrays, wrong
from pipeline.data.files.download import checksum
from pipeline.errors import UserError

__all__ = ["ABOUT", "Options", "fetch", "prepare"]

UNCUT = "Cut or pad them to squares, and save them again."

ABOUT = About(
    title="Own arrays",
    what="Arrays of the user's own: images and, if they are known, factors, labels and attributes.",
    source="your own",
    licence="your own",
    citation="your own, unpublished",
)


class Options(OwnOptions):
    """``datasets.arrays`` in params.yaml."""

    title: str = ABOUT.title
    images: str = "images"
    """The member of the file that holds the images; a .npy file has no other."""
    factors: str | Literal[False] | None = None
    """The member that holds factors; null: the one named ``factors``, if there is one; false: none."""
    labels: str | Literal[False] | None = None
    """The member that holds labels; null and false as for factors."""
    attributes: str | Literal[False] | None = None
    """The member that holds attributes; null and false as for factors."""
    factor_names: list[str] = Field(default_factory=list)
    """Names of the columns of factors, in order; ``factor_0``, ... if left out."""
    label_names: list[str] = Field(default_factory=list)
    """``label_names[l]`` is the name of label l; the labels themselves if left out."""
    attribute_names: list[str] = Field(default_factory=list)
    """Names of the columns of attributes, in order; ``attribute_0``, ... if left out."""
    channels: Literal["auto", "first", "last"] = "auto"
    """The axis of the channels in images of four axes; ``auto``: the one of length 1 or 3."""

    @field_validator("factor_names", "label_names", "attribute_names")
    @classmethod
    def _each_once(cls, value: list[str]) -> list[str]:
        twice = sorted({name for name in value if value.count(name) > 1})
        if twice:
            raise ValueError(f"list each name once; listed more than once: {', '.join(twice)}")
        return value


def fetch(options: Options, folder: Path) -> None:
    """Read the file once and write the manifest: its checksum, its arrays and the range of the images.

    Raises:
        UserError: the file or one of its arrays cannot be used.
    """
    path = _file(options)
    digest, earlier = checksum(path, "sha256"), read_manifest(folder) or {}
    held = arrays(path)
    images = layout(_member(options, "images", options.images, held), options.channels)
    if earlier.get("sha256") == digest and earlier["images"]["member"] == options.images:
        found = earlier["images"]
    else:
        found = {"member": options.images, **value_range(images.array)}
    _assembled(options, held, found)
    members = [str(array) for array in held.values()]
    write_manifest(
        folder,
        {"sha256": digest, "bytes": path.stat().st_size, "members": sorted(members), "images": found},
    )


def prepare(options: Options, folder: Path) -> Prepared:
    """The arrays of the file that fetch read.

    Raises:
        UserError: the file has changed since, or its arrays contradict each other.
    """
    path, manifest = _file(options), known_manifest(folder)
    if checksum(path, "sha256") != manifest["sha256"]:
        raise UserError(f"{path} has changed since fetch read it. {again(folder)}")
    if manifest["images"]["member"] != options.images:
        raise UserError(
            f"{folder}: fetch read {manifest['images']['member']!r}, and images is {options.images!r} now. "
            f"{again(folder)}"
        )
    return _assembled(options, arrays(path), manifest["images"], details(options, manifest))


def _assembled(
    options: Options, held: dict[str, Array], found: dict[str, Any], more: dict[str, Any] | None = None
) -> Prepared:
    """All arrays, checked; the images are not read yet."""
    images = layout(_member(options, "images", options.images, held), options.channels)
    count, (channels, height, width) = images.array.shape[0], images.shape
    side = final_side(images.array.where, height, width, options, UNCUT)
    binary = is_binary(images.array, found)
    factors = labels = attributes = None
    sizes: tuple[int, ...] = ()
    label_names: tuple[str, ...] = ()
    values: list[list[int]] = []
    if (array := _truth(options, "factors", held, count)) is not None:
        factors, values = factor_indices(array.where, array.values())
        sizes = tuple(len(found) for found in values)
    if (array := _truth(options, "labels", held, count)) is not None:
        labels, label_names = label_numbers(array.where, array.values(), options.label_names)
    if (array := _truth(options, "attributes", held, count)) is not None:
        attributes = attribute_values(array.where, array.values())
    names = _names(options.factor_names, "factor", len(sizes))
    places = None if factors is None else grid_places(factors, sizes)
    in_order = places is None or np.array_equal(places, np.arange(count))
    return Prepared(
        blocks=blocks(images, side, binary),
        count=count,
        storage="bits" if binary and side == height else "uint8",
        shape=(channels, side, side),
        places=None if in_order else places,
        source=options.path,
        factors=placed(factors, places),
        factor_names=names,
        factor_sizes=sizes,
        grid=places is not None,
        labels=placed(labels, places),
        label_names=label_names,
        attributes=placed(attributes, places),
        attribute_names=_names(
            options.attribute_names, "attribute", 0 if attributes is None else attributes.shape[1]
        ),
        details={
            **(more or {}),
            **({"factor_values": dict(zip(names, values, strict=True))} if values else {}),
        },
    )


def _file(options: Options) -> Path:
    path, where = options.place, "params.yaml: datasets.arrays.path"
    if path.is_dir():
        raise UserError(
            f"{where}: {path} is a folder. Name a file; a folder of images is the data set `folder`."
        )
    if path.suffix.lower() not in ENDINGS:
        raise UserError(
            f"{where}: {path} ends in {path.suffix or 'nothing'}; files that end in {', '.join(ENDINGS)} are "
            "read. Save the arrays as one of these."
        )
    if not path.is_file():
        raise UserError(f"{where}: there is no {path} (seen from {Path.cwd()}). Correct the path.")
    return path


# --- the members of the file --------------------------------------------------------------------------------


def _member(options: Options, key: str, name: str, held: dict[str, Array]) -> Array:
    """An array by its name."""
    path = options.place
    if path.suffix.lower() == ".npy" and key == "images":
        (array,) = held.values()
    elif name not in held:
        has = "\n  ".join(sorted(str(array) for array in held.values())) or "no array at all"
        raise UserError(
            f"{path}: there is no {name!r}. It has:\n  {has}\nSet `{key}` in params.yaml to one of them"
            f"{', or save the arrays in a .npz file' if path.suffix.lower() == '.npy' else ''}."
        )
    else:
        array = held[name]
    if array.problem:
        wrong(array, f"{array.problem}.")
    return array


def _truth(options: Options, key: str, held: dict[str, Array], count: int) -> Array | None:
    """Factors, labels or attributes, of the right shape; None if there are none, or the option is false."""
    name = getattr(options, key)
    if name is None:
        name = key if key in held else False
    if name is False:
        if getattr(options, f"{key[:-1]}_names"):
            raise UserError(
                f"params.yaml: datasets.arrays.{key[:-1]}_names: there are no {key} in {options.place}. "
                f"Set `{key}` to the member that holds them, or remove the names."
            )
        return None
    array = _member(options, key, name, held)
    shape, found = array.shape, f"{array.dtype} {list(array.shape)}"
    without = f", or set `{key}: false` in params.yaml to leave it out"
    if len(shape) != (1 if key == "labels" else 2):
        cure = {
            "labels": "labels are [N], one number per image. Save labels.argmax(axis=1) if they are one-hot",
            "factors": "factors are [N, K], a column per factor. Reshape it: a single factor is [N, 1]",
            "attributes": "attributes are [N, A], a column per attribute. Reshape it: a single one is [N, 1]",
        }[key]
        wrong(array, f"{found}; {cure}{without}.")
    if shape[0] != count:
        wrong(array, f"{shape[0]:,} rows, and there are {count:,} images. Save one row per image{without}.")
    if 0 in shape:
        wrong(array, f"{found}; there is nothing in it. Save at least one column{without}.")
    if array.dtype.kind not in ("biu" if key == "labels" else "biuf"):
        what = "numbers" if key == "attributes" else "whole numbers"
        cure = (
            f"Save numpy.unique({key}, return_inverse=True)[1]" if key == "labels" else "Save it as numbers"
        )
        wrong(array, f"{found}; {key} are {what}. {cure}{without}.")
    names = getattr(options, f"{key[:-1]}_names")
    if key != "labels" and names and len(names) != shape[1]:
        raise UserError(
            f"params.yaml: datasets.arrays.{key[:-1]}_names: {len(names)} names, and {array.name} in "
            f"{array.path} has {shape[1]} columns. Give one per column, or none."
        )
    return array


def _names(chosen: list[str], kind: str, count: int) -> tuple[str, ...]:
    return tuple(chosen) if chosen else tuple(f"{kind}_{number}" for number in range(count))

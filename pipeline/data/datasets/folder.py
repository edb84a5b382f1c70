"""A folder of the user's own images; sub-folders are labels. See docs/your-own-data.md.

    path/a.png  path/b.png  ...                  images without labels
    path/circle/a.png  path/square/b.png  ...    images with the labels circle and square (one level only)

Files are PNG, JPEG, BMP, TIFF, WebP and GIF, 8 bits per channel, opaque, one frame
(``pipeline/data/files/image_file.py``). EXIF's orientation is applied. Hidden files, and files whose ending
is not that of an image, are left out.

Images and labels are in the order of their names, sorted character by character (10.png before 9.png). They
have three channels, red, green, blue, 0 to 255; or one channel:

    grey = floor((19595 R + 38470 G + 7471 B) / 65536 + 1/2)        ITU-R BT.601's luma, rounded as in Pillow
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.console import Console
from rich.progress import track

from pipeline.data.arrays.dataset import About, Prepared
from pipeline.data.arrays.own_data import (
    OwnOptions,
    again,
    details,
    final_side,
    known_manifest,
    read_manifest,
    write_manifest,
)
from pipeline.data.arrays.shrink import shrink
from pipeline.data.files.image_file import ENDINGS, UNREAD, content, decode
from pipeline.errors import UserError
from pipeline.store import npy

__all__ = ["ABOUT", "Options", "fetch", "prepare"]

LEFT_BY_SYSTEMS = ("thumbs.db", "desktop.ini", "__macosx")
LUMA = (19595, 38470, 7471)

ABOUT = About(
    title="Own images",
    what="A folder of the user's own images; sub-folders are labels.",
    source="your own",
    licence="your own",
    citation="your own, unpublished",
)


class Options(OwnOptions):
    """``datasets.folder`` in params.yaml."""

    title: str = ABOUT.title
    crop: bool = False
    """Cut the central square out of every image. With ``image_size``, images may then have different
    sizes."""
    colour: Literal["auto", "grey", "rgb"] = "auto"
    """One channel (``grey``), three (``rgb``), or three if any image has colour (``auto``)."""


def fetch(options: Options, folder: Path) -> None:
    """Read every image once and write the manifest; images that it already has are not decoded again.

    Raises:
        UserError: there are no images, or some cannot be used; the message names the file and what to do.
    """
    names, left_out = _listing(options.place)
    earlier = read_manifest(folder) or {}
    known = {image["sha256"]: image["shape"] for image in earlier.get("images", [])}
    console = Console(stderr=True)
    images = []
    for name in track(names, "reading", console=console, transient=True, disable=not console.is_terminal):
        path = options.place / name
        stored = content(path)
        digest = hashlib.sha256(stored).hexdigest()
        shape = known.get(digest) or list(decode(path, stored).shape)
        images.append(
            {"name": name, "bytes": len(stored), "sha256": digest, "shape": shape, "label": _label(name)}
        )
    _shape(options, images)
    write_manifest(folder, {"images": images})
    if left_out:
        print(
            f"fetch: {folder.name}: left out, because their endings are not those of images: "
            f"{_some(left_out)}"
        )


def prepare(options: Options, folder: Path) -> Prepared:
    """The images that fetch found, in the order of their names.

    Raises:
        UserError: files have changed since; or, while the blocks are read, all images are black.
    """
    manifest = known_manifest(folder)
    images = manifest["images"]
    _same_files(options.place, _listing(options.place)[0], [image["name"] for image in images], folder)
    shape = _shape(options, images)
    label_names = tuple(sorted({image["label"] for image in images if image["label"] is not None}))
    number = {name: index for index, name in enumerate(label_names)}
    return Prepared(
        blocks=_blocks(options, images, shape, folder),
        count=len(images),
        storage="uint8",
        shape=shape,
        labels=np.array([number[image["label"]] for image in images]) if label_names else None,
        label_names=label_names,
        source=options.path,
        details=details(options, manifest),
    )


# --- the files ----------------------------------------------------------------------------------------------


def _listing(place: Path) -> tuple[list[str], list[str]]:
    """Sorted names of the images and of the files that are left out, ``/`` between label and file."""
    if not place.exists():
        raise UserError(
            f"params.yaml: datasets.folder.path: there is no {place} (seen from {Path.cwd()}). Correct the "
            "path."
        )
    if not place.is_dir():
        raise UserError(
            f"params.yaml: datasets.folder.path: {place} is a file. Name the folder of the images; "
            "a .npy, .npz or .h5 file is the data set `arrays`."
        )
    direct, left_out, folders = _sorted_out(place)
    within: dict[str, list[str]] = {}
    for label in folders:
        images, others, deeper = _sorted_out(label)
        for folder in deeper:
            if below := next((path for path in folder.rglob("*") if _is_image(path)), None):
                raise UserError(
                    f"{below}: sub-folders are labels, one level of them. Move it up into {label}, or point "
                    f"path to {label} if its sub-folders are the labels."
                )
        within[label.name] = [f"{label.name}/{name}" for name in images]
        left_out += [f"{label.name}/{name}" for name in others]
    nested = [name for images in within.values() for name in images]
    if direct and nested:
        raise UserError(
            f"{place} has images in itself ({direct[0]}) and in sub-folders ({nested[0]}), so labels are "
            "ambiguous. Move all of them into sub-folders, one per label, or none."
        )
    if not direct and not nested:
        ignored = f" It has {len(left_out)} other files: {_some(left_out)}." if left_out else ""
        raise UserError(
            f"{place} has no image: no file that ends in {', '.join(ENDINGS)}.{ignored} Correct path in "
            "params.yaml."
        )
    if nested:
        for name, images in within.items():
            if not images:
                raise UserError(
                    f"{place / name} has no image, but the other sub-folders have some, so it would be a "
                    "label. Remove it."
                )
        if len(within) == 1:
            (name,) = within
            raise UserError(
                f"{place}: all images are in one sub-folder, {name}, which would be the only label. "
                f"Set path to {place / name} in params.yaml."
            )
    return sorted(direct + nested), sorted(left_out)


def _sorted_out(place: Path) -> tuple[list[str], list[str], list[Path]]:
    """Names of the images in a folder, names of other files, and its folders; nothing hidden."""
    images, others, folders = [], [], []
    try:
        entries = sorted(place.iterdir())
    except OSError as error:
        raise UserError(f"{place} cannot be read ({error.strerror}). Make it readable.") from None
    for path in entries:
        if path.name.startswith(".") or path.name.lower() in LEFT_BY_SYSTEMS:
            continue
        if path.is_dir():
            folders.append(path)
        elif _is_image(path):
            images.append(path.name)
        elif path.suffix.lower() in UNREAD:
            raise UserError(
                f"{path}: this image format is not supported. Convert it to PNG, or move it somewhere else."
            )
        else:
            others.append(path.name)
    return images, others, folders


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".") and not path.is_dir()


def _label(name: str) -> str | None:
    label, slash, _ = name.rpartition("/")
    return label if slash else None


def _same_files(place: Path, found: list[str], known: list[str], folder: Path) -> None:
    for names, what in ((set(known) - set(found), "gone"), (set(found) - set(known), "new")):
        if names:
            more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
            raise UserError(
                f"{place / min(names)}{more}: {what} since fetch read the images. {again(folder)}"
            )


def _some(names: list[str]) -> str:
    """The first few of many names, and the number of files of each ending."""
    if len(names) <= 5:
        return ", ".join(names)
    endings = Counter(Path(name).suffix or "no ending" for name in names)
    counts = ", ".join(f"{n} × {ending}" for ending, n in sorted(endings.items()))
    return f"{', '.join(names[:3])}, ... ({counts})"


# --- the images ---------------------------------------------------------------------------------------------


def _shape(options: Options, images: list[dict[str, Any]]) -> tuple[int, int, int]:
    """(C, H, W) of the prepared images."""
    sizes: dict[tuple[int, int], str] = {}
    for image in images:
        height, width = image["shape"][1:]
        if options.crop:
            height = width = min(height, width)
        sizes.setdefault((height, width), image["name"])
    free = options.crop and options.image_size is not None
    if len(sizes) > 1 and not free:
        (one, first), (other, second) = list(sizes.items())[:2]
        raise UserError(
            f"{options.place}: images have {len(sizes)} sizes{' after cropping' if options.crop else ''}: "
            f"{first} has {one[1]}×{one[0]} pixels, {second} {other[1]}×{other[0]}. "
            f"{'Set' if options.crop else 'Set `crop: true` and'} an `image_size`, such as 64, in "
            "params.yaml, or give all images the same size."
        )
    uncut = "Set `crop: true` in params.yaml to cut the central square out of every image."
    sides = {
        final_side(options.place / name, height, width, options, uncut)
        for (height, width), name in sizes.items()
    }
    (side,) = sides
    grey = options.colour == "grey" or (
        options.colour == "auto" and all(image["shape"][0] == 1 for image in images)
    )
    return (1 if grey else 3, side, side)


def _blocks(
    options: Options, images: list[dict[str, Any]], shape: tuple[int, int, int], folder: Path
) -> Iterator[np.ndarray]:
    """uint8 [n, C, H, W], some megabytes at a time."""
    channels, side, _ = shape
    rows = max(1, npy.BLOCK // int(np.prod(shape)))
    brightest = 0
    for start in range(0, len(images), rows):
        block = np.empty((min(rows, len(images) - start), *shape), dtype=np.uint8)
        for row, image in enumerate(images[start : start + rows]):
            path = options.place / image["name"]
            stored = content(path)
            if hashlib.sha256(stored).hexdigest() != image["sha256"]:
                raise UserError(f"{path} has changed since fetch read the images. {again(folder)}")
            pixels = decode(path, stored)
            brightest = max(brightest, int(pixels.max()))
            square = _coloured(_cropped(pixels) if options.crop else pixels, channels)
            for channel in range(channels):  # one at a time: those of a photograph are large
                block[row, channel] = shrink(square[None, channel : channel + 1], side)[0, 0]
        if start + rows >= len(images) and brightest <= 1:
            raise UserError(
                f"{options.place}: no pixel of any image is brighter than {brightest} of 255: they are "
                "black. If they are masks of 0 and 1, save them as 0 and 255."
            )
        yield block


def _coloured(pixels: np.ndarray, channels: int) -> np.ndarray:
    """uint8 [C, H, W] with this number of channels."""
    if len(pixels) == channels:
        return pixels
    if channels == 3:
        return np.broadcast_to(pixels, (3, *pixels.shape[1:]))
    red, green, blue = (
        weight * channel.astype(np.uint32) for weight, channel in zip(LUMA, pixels, strict=True)
    )
    return ((red + green + blue + 32768) >> 16).astype(np.uint8)[None]


def _cropped(pixels: np.ndarray) -> np.ndarray:
    """The central square of [C, H, W], or the one half a pixel to its left or top."""
    _, height, width = pixels.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[:, top : top + side, left : left + side]

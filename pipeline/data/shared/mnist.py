"""Data sets in MNIST's layout: 70,000 images, 28×28 grey values, in four gzipped IDX files.

    rows 0 .. 59,999         training images    train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz
    rows 60,000 .. 69,999    test images        t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz

Each part is in the order of its file; ``pipeline/data/files/idx.py`` describes the format.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import model_validator

from pipeline.data.arrays.dataset import DownloadOptions, Prepared, fetched, no_other_test_part
from pipeline.data.arrays.shrink import shrink
from pipeline.data.files import idx
from pipeline.data.files.download import RemoteFile
from pipeline.errors import UserError

__all__ = ["MnistOptions", "files", "prepare"]

SIZE = 28
TRAIN, TEST = 60_000, 10_000
"""Images in the two official parts."""


class MnistOptions(DownloadOptions):
    """The keys of data sets in MNIST's layout."""

    original_size: ClassVar[int] = SIZE

    split: Literal["official", "drawn"] = "official"
    """``official``: the 10,000 official test images are the test part; ``drawn``: a ``test_fraction`` of all
    70,000 is."""

    @model_validator(mode="after")
    def _one_test_part(self) -> MnistOptions:
        no_other_test_part(self, "the 10,000 official test images")
        return self


def files(addresses: Sequence[str], known: Sequence[tuple[str, int]]) -> tuple[RemoteFile, ...]:
    """Images and labels of the training part, then of the test part.

    Args:
        addresses: folders that have the files, each with a final ``/``.
        known: the SHA-256 of each file, and its size in bytes.
    """
    names = [
        f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
    ]
    return tuple(
        RemoteFile(name, tuple(address + name for address in addresses), f"sha256:{digest}", size)
        for name, (digest, size) in zip(names, known, strict=True)
    )


def prepare(
    options: MnistOptions, folder: Path, files: Sequence[RemoteFile], label_names: tuple[str, ...]
) -> Prepared:
    """Images [70000, 1, 28, 28] and labels.

    Args:
        files: in the order of :func:`files`.

    Raises:
        UserError: a raw file is missing, damaged, or not in the published layout.
    """
    paths = [fetched(folder, file.name, file.checksum) for file in files]
    parts = {paths[0]: TRAIN, paths[2]: TEST}
    size = options.image_size or SIZE
    labels = [_labels(paths[1], TRAIN, len(label_names)), _labels(paths[3], TEST, len(label_names))]
    return Prepared(
        blocks=_images(parts, size),
        count=TRAIN + TEST,
        storage="uint8",
        shape=(1, size, size),
        labels=np.concatenate(labels),
        label_names=label_names,
        official_test=np.arange(TRAIN + TEST) >= TRAIN if options.split == "official" else None,
        details={"split": options.split},
    )


def _images(parts: dict[Path, int], size: int) -> Iterator[np.ndarray]:
    """uint8 [n, 1, size, size] at a time, one file after the other."""
    for path, count in parts.items():
        for block in idx.blocks(path, (count, SIZE, SIZE)):
            yield shrink(block[:, None], size)


def _labels(path: Path, count: int, classes: int) -> np.ndarray:
    """int64 [count]"""
    labels = np.concatenate(list(idx.blocks(path, (count,)))).astype(np.int64)
    if labels.max() >= classes:
        row = int(np.argmax(labels >= classes))
        raise UserError(
            f"{path}: label {labels[row]} of image {row}; labels are 0 to {classes - 1}. "
            "Remove it and fetch it again; if it is the official one, please report this."
        )
    return labels

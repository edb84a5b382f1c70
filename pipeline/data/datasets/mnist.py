"""MNIST: 70,000 handwritten digits, 28×28 grey values, 10 classes, white on black.

    rows 0 .. 59,999         the training images, in the order of their file     train-images-idx3-ubyte.gz, -labels-idx1-
    rows 60,000 .. 69,999    the test images                                     t10k-images-idx3-ubyte.gz,  -labels-idx1-
    label                    the digit

No ground-truth factors. The files are gzipped IDX (``pipeline/data/files/idx.py``). ``split: official`` holds the test images out;
``validation_fraction`` is then drawn from the training images, as a fraction of all 70,000.

Yann LeCun, Léon Bottou, Yoshua Bengio, Patrick Haffner, "Gradient-based learning applied to document recognition",
Proceedings of the IEEE 86(11):2278-2324, 1998, https://doi.org/10.1109/5.726791.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import model_validator

from pipeline.data.arrays.dataset import About, DownloadOptions, Prepared, fetched, no_other_test_part
from pipeline.data.arrays.shrink import shrink
from pipeline.data.files import idx
from pipeline.data.files.download import RemoteFile, fetch_files
from pipeline.errors import UserError

__all__ = ["ABOUT", "Options", "fetch", "prepare"]

SIZE = 28
TRAIN, TEST = 60_000, 10_000
"""Images in the two official parts."""

# The home comes last: it no longer gives the files out (reported; not tried here), and waiting for it takes a while.
# The sha256 are those that TensorFlow Datasets pins for the first address; torchvision pins md5s for the second.
ADDRESSES = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)
FILES = tuple(
    RemoteFile(name, tuple(address + name for address in ADDRESSES), f"sha256:{digest}", size)
    for name, digest, size in (
        ("train-images-idx3-ubyte.gz", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9_912_422),
        ("train-labels-idx1-ubyte.gz", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28_881),
        ("t10k-images-idx3-ubyte.gz", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1_648_877),
        ("t10k-labels-idx1-ubyte.gz", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4_542),
    )
)  # fmt: skip
"""Images and labels of the training part, then of the test part."""

ABOUT = About(
    title="MNIST",
    what="70,000 handwritten digits, white on black, 28×28 grey values, in 10 classes.",
    source="http://yann.lecun.com/exdb/mnist/",
    licence="Yann LeCun and Corinna Cortes hold the copyright of MNIST dataset, which is a derivative work from original NIST "
    "datasets. MNIST dataset is made available under the terms of the Creative Commons Attribution-Share Alike 3.0 license. "
    "(in the words of Keras' documentation)",
    citation='Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition", '
    "Proceedings of the IEEE 86(11):2278-2324, 1998, https://doi.org/10.1109/5.726791",
    labels=tuple("0123456789"),
    files=FILES,
)


class Options(DownloadOptions):
    """``datasets.mnist`` in params.yaml."""

    original_size: ClassVar[int] = SIZE

    split: Literal["official", "drawn"] = "official"
    """The ``official`` 10,000 test images are the test part; or ``drawn``: ``test_fraction`` of all 70,000 are."""

    @model_validator(mode="after")
    def _one_test_part(self) -> Options:
        no_other_test_part(self, "the 10,000 official test images")
        return self


def fetch(options: Options, folder: Path) -> None:
    """Bring the four files.

    Raises:
        UserError: one cannot be had.
    """
    fetch_files(FILES, folder, options.mirror)


def prepare(options: Options, folder: Path) -> Prepared:
    """Images [70000, 1, 28, 28] and labels.

    Raises:
        UserError: a raw file is missing, damaged, or not in the published layout.
    """
    return read(options, folder, FILES, ABOUT.labels)


def read(
    options: Options, folder: Path, files: Sequence[RemoteFile], label_names: tuple[str, ...]
) -> Prepared:
    """A data set in MNIST's layout, for its files in the order of ``FILES``; see :func:`prepare`."""
    paths = [fetched(folder, file.name, file.checksum) for file in files]
    parts = {paths[0]: TRAIN, paths[2]: TEST}
    size = options.image_size or SIZE
    return Prepared(
        blocks=_images(parts, size),
        count=TRAIN + TEST,
        storage="uint8",
        shape=(1, size, size),
        labels=np.concatenate(
            [_labels(paths[1], TRAIN, len(label_names)), _labels(paths[3], TEST, len(label_names))]
        ),
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

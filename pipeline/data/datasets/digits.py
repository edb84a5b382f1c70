"""Handwritten digits: 1,797 scanned digits, 8×8 pixels, 10 classes, bundled with scikit-learn.

    pixel = round(255 v / 16),  v = 0..16 the number of ink points in a 4×4 block of the 32×32 scan

They are the test part of "Optical Recognition of Handwritten Digits" (UCI Machine Learning Repository, CC BY
4.0), as scikit-learn (BSD 3-Clause) bundles it, so nothing is downloaded.

E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998,
https://doi.org/10.24432/C50P49.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.data.arrays.dataset import About, CommonOptions, Prepared, fetched
from pipeline.data.files.download import holds
from pipeline.errors import UserError
from pipeline.store.files import atomic

__all__ = ["ABOUT", "Options", "fetch", "prepare"]

TABLE = "digits.csv"
CHECKSUM = "sha256:6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"
"""Of the file that :func:`fetch` writes: a line per image, with its 64 values and its label."""

ABOUT = About(
    title="Handwritten digits",
    what="1,797 handwritten digits, 8×8 pixels, 17 grey levels.",
    source="https://doi.org/10.24432/C50P49",
    licence="CC BY 4.0 (as bundled with scikit-learn, BSD-3-Clause)",
    citation='E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning '
    "Repository, 1998, "
    "https://doi.org/10.24432/C50P49",
    labels=tuple("0123456789"),
)


class Options(CommonOptions):
    """``datasets.digits`` in params.yaml."""

    original_size: ClassVar[int] = 8


def fetch(options: Options, folder: Path) -> None:
    """Write scikit-learn's digits as ``digits.csv``.

    Raises:
        UserError: the installed scikit-learn bundles other digits.
    """
    path = folder / TABLE
    if holds(path, CHECKSUM):
        return
    from sklearn.datasets import load_digits  # takes seconds, and every stage reads the options above

    digits = load_digits()
    text = io.StringIO()
    np.savetxt(text, np.column_stack([digits.data, digits.target]), fmt="%d", delimiter=",")
    with atomic(path) as temporary:
        temporary.write_bytes(text.getvalue().encode())
    if not holds(path, CHECKSUM):
        path.unlink()
        raise UserError(
            "The installed scikit-learn bundles other digits than this data set is made from. "
            "Install the version that constraints.txt names."
        )


def prepare(options: Options, folder: Path) -> Prepared:
    """Images [1797, 1, 8, 8] and labels.

    Raises:
        UserError: the raw file is missing or damaged.
    """
    path = fetched(folder, TABLE, CHECKSUM)
    table = np.loadtxt(path, dtype=np.int64, delimiter=",")
    values, labels = table[:, :64], table[:, 64]
    images = ((2 * 255 * values + 16) // 32).astype(np.uint8).reshape(-1, 1, 8, 8)
    return Prepared(
        blocks=[images],
        count=len(images),
        storage="uint8",
        shape=(1, 8, 8),
        labels=labels,
        label_names=ABOUT.labels,
        source="scikit-learn, sklearn.datasets.load_digits",
    )

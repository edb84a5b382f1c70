"""The rows that a probe is trained on and the rows that it is tested on.

The 12,600-model study trains on 10,000 images and tests on 5,000 fresh ones. Here both come from one table.
The rows that the caller holds out (`test`) are the fresh ones. If it holds out none, test rows are drawn,
disjoint from the training rows.

F. Locatello et al., "Challenging Common Assumptions in the Unsupervised Learning of Disentangled
Representations", 2019, arXiv:1811.12359.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics import arrays

__all__ = ["TEST_ROWS", "TRAIN_ROWS", "split"]

TRAIN_ROWS = 10_000
TEST_ROWS = 5_000


def split(
    rows: int, rng: np.random.Generator, test: ArrayLike | None, *, train_rows: int, test_rows: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row numbers to train on and to test on, both ascending: at most `train_rows` and `test_rows` of `rows`.

    test: bool [N], True for a row that is held out. If it is None or has no True, disjoint rows are drawn, in
    the proportion train_rows : test_rows if there are too few. Rows beyond either number are left out at
    random; if there are no more, all are used and nothing is drawn. Raises ValueError when either side would
    be empty, or `test` has another length.
    """
    train_rows = arrays.whole("train_rows", train_rows, 1, f"the study uses {TRAIN_ROWS:,}")
    test_rows = arrays.whole("test_rows", test_rows, 1, f"the study uses {TEST_ROWS:,}")
    held_out = np.zeros(rows, dtype=np.bool_) if test is None else arrays.row_mask("test", test)
    if len(held_out) != rows:
        raise ValueError(
            f"test: expected the same number of rows as codes, {rows}, got {len(held_out)}; "
            "pass a bool for each image"
        )
    if held_out.all():
        raise ValueError(f"test: all {rows} rows are held out, none is left to train on; mark some as False")
    if held_out.any():
        return _at_most(train_rows, np.flatnonzero(~held_out), rng), _at_most(
            test_rows, np.flatnonzero(held_out), rng
        )
    arrays.at_least("codes", rows, 2)
    wanted = train_rows + test_rows
    trained = train_rows if rows >= wanted else min(max(1, round(rows * train_rows / wanted)), rows - 1)
    order = rng.permutation(rows)
    return np.sort(order[:trained]), np.sort(order[trained : trained + test_rows])


def _at_most(count: int, rows: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    return rows if len(rows) <= count else np.sort(rng.choice(rows, count, replace=False))

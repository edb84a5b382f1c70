"""The classes of a probe: the values of each factor, or of each target, numbered from 0.

    y = 0 ... C − 1   the rank of a value among those that occur in the training rows
    y = C             a value that occurs in other rows only; no probe ever predicts it

Ranks and not values, so that a probe does not depend on how the values are written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics import arrays

__all__ = ["Classes", "averaged", "learnable", "varying"]


@dataclass(frozen=True)
class Classes:
    """The classes of one column, which a probe predicts."""

    k: int
    """The number of the column."""
    y: NDArray[np.intp]
    """[N]"""
    size: int
    """C"""


def varying(name: str, columns: NDArray[Any], trained: NDArray[Any] | None = None) -> list[Classes]:
    """Columns [N, K] -> those that vary, numbered by the rows `trained` (by all rows if it is None).

    A column that is constant over the training rows alone has C = 1: there is only one class to predict.
    Raises ValueError when none varies, and when one has more than half as many values as there are rows to
    learn from, and over 20.
    """
    rows: Any = slice(None) if trained is None else trained
    found = []
    for k, column in enumerate(columns.T):
        rank, values = arrays.value_index(column)
        if values == 1:
            continue
        count = np.bincount(rank[rows], minlength=values)
        occurs = count > 0
        size = int(occurs.sum())
        _check_repeats(name, size, int(count.sum()))
        found.append(Classes(k, np.where(occurs, np.cumsum(occurs) - 1, size)[rank], size))
    arrays.enough_vary(name, len(found), columns.shape[1])
    return found


def learnable(
    name: str, columns: NDArray[Any], trained: NDArray[np.intp], tested: NDArray[np.intp] | None = None
) -> list[Classes]:
    """Columns [N, K] -> those that vary over the rows `trained`, and over the rows `tested` if these are
    passed.

    Raises ValueError like `varying`, and when none is left.
    """
    found = [column for column in varying(name, columns, trained) if column.size > 1]
    over = f" over the {len(trained)} training rows"
    if tested is not None:
        found = [column for column in found if np.ptp(column.y[tested]) > 0]
        over = f" over the {len(trained)} training and over the {len(tested)} test rows"
    arrays.enough_vary(name, len(found), columns.shape[1], over=over)
    return found


def _check_repeats(name: str, size: int, rows: int) -> None:
    if size > max(20, rows / 2):
        raise ValueError(
            f"{name}: found {size} classes among {rows} rows to learn from, most of them with a single one; "
            "pass value indices of something discrete, or more images per value"
        )


def averaged(name: str, scores: dict[int, float], targets: ArrayLike) -> dict[str, float]:
    """One score per varying target -> {name: their mean}, and name_<k> of each if `targets` has several
    columns.
    """
    mean = {name: float(np.mean(list(scores.values())))}
    several = np.ndim(targets) > 1 and np.shape(targets)[1] > 1
    return mean | ({f"{name}_{k}": float(score) for k, score in scores.items()} if several else {})

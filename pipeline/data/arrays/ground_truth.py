"""What a user says of images, in the form that metrics take: factors, labels, attributes.

    factors      f_k = how many values of column k are smaller         int16 [N, K], from 0 without gaps
    labels       l, or how many labels are smaller                     int64 [N]
    attributes   as they are                                           float32 [N, A]

Factors are a full grid where every combination of their values is there exactly once: image n then belongs in row
``grid.rows(f_n)``, in whatever order the images came.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pipeline.data.arrays import grid
from pipeline.errors import UserError

__all__ = ["attribute_values", "factor_indices", "grid_places", "label_numbers", "placed"]

MOST_VALUES = 2**15
"""Of one factor: its indices are int16."""
WHOLE = 2**53
"""Below it a float64 tells all whole numbers apart."""
CONTINUOUS = "Continuous quantities are attributes: set `attributes` to this member, and `factors: false`, in params.yaml."


def factor_indices(where: str, given: np.ndarray) -> tuple[np.ndarray, list[list[int]]]:
    """Whole numbers [N, K] -> indices int16 [N, K], and for each factor its values in ascending order.

    Args:
        where: the file and the array, for messages.

    Raises:
        UserError: numbers that are not whole, or too many different ones.
    """
    if given.dtype.kind == "f":
        rows, columns = np.nonzero(
            ~np.isfinite(given) | (given != np.floor(given)) | (np.abs(given) >= WHOLE)
        )
        if len(rows):
            raise UserError(
                f"{where}: row {rows[0]}, column {columns[0]} is {given[rows[0], columns[0]]:g}; factors are whole "
                f"numbers, one for each of a few values. {CONTINUOUS}"
            )
        given = given.astype(np.int64)
    indices, values = [], []
    for k, column in enumerate(given.T):
        found, index = np.unique(column, return_inverse=True)
        if len(found) > MOST_VALUES:
            raise UserError(
                f"{where}: column {k} has {len(found):,} different values, and a factor has {MOST_VALUES:,} at most. "
                f"{CONTINUOUS}"
            )
        indices.append(index.astype(np.int16))
        values.append([int(value) for value in found])
    return np.stack(indices, axis=1), values


def grid_places(factors: np.ndarray, sizes: Sequence[int]) -> np.ndarray | None:
    """int64 [N]: the row of the full grid that each image belongs in; None where they are no full grid."""
    if math.prod(sizes) != len(factors):
        return None
    places = grid.rows(factors, sizes)
    return places if len(np.unique(places)) == len(places) else None


def placed(array: np.ndarray | None, places: np.ndarray | None) -> np.ndarray | None:
    """Its rows put in these places; as it is where there are none."""
    if array is None or places is None:
        return array
    found = np.empty_like(array)
    found[places] = array
    return found


def label_numbers(where: str, given: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Whole numbers [N] -> int64 [N], and the name of each label: ``names``, or where there are none the numbers.

    Raises:
        UserError: one label only, or labels without a name.
    """
    values, index = np.unique(given, return_inverse=True)
    if len(values) == 1:
        raise UserError(
            f"{where}: all labels are {int(values[0])}. Set `labels: false` in params.yaml to leave them out."
        )
    if not names:
        return index.astype(np.int64), tuple(str(int(value)) for value in values)
    if values[0] < 0 or values[-1] >= len(names):
        raise UserError(
            f"{where}: labels from {int(values[0])} to {int(values[-1])}, and label_names has {len(names)} names, which are "
            f"those of 0 to {len(names) - 1}. Give one name per label from 0, or none."
        )
    return given.astype(np.int64), tuple(names)


def attribute_values(where: str, given: np.ndarray) -> np.ndarray:
    """Numbers [N, A] -> float32 [N, A].

    Raises:
        UserError: NaN, or more than float32 can hold.
    """
    with np.errstate(over="ignore"):
        values = given.astype(np.float32)
    rows, columns = np.nonzero(~np.isfinite(values))
    if len(rows):
        raise UserError(
            f"{where}: row {rows[0]}, column {columns[0]} is {given[rows[0], columns[0]]}, which is no finite float32. "
            "Repair it, or set `attributes: false` in params.yaml to leave them out."
        )
    return values

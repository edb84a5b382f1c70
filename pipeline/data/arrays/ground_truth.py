"""The user's factors, labels and attributes in the form that metrics need.

    factors      f_k = number of smaller values in column k                int16 [N, K], from 0 without gaps
    labels       the label, or the number of smaller labels                int64 [N]
    attributes   unchanged                                                 float32 [N, A]

Factors are a full grid if every combination of their values appears exactly once. Image n then belongs in row
``grid.rows(f_n)``, whatever the order of the images in the file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pipeline.data.arrays import grid
from pipeline.errors import UserError

__all__ = ["attribute_values", "factor_indices", "grid_places", "label_numbers", "placed"]

MOST_VALUES = 2**15
"""Values of one factor: its indices are int16."""
WHOLE = 2**53
"""Below it, float64 represents every whole number."""
CONTINUOUS = (
    "Continuous quantities are attributes: in params.yaml, set `attributes` to this member, and "
    "`factors: false`."
)


def factor_indices(where: str, array: np.ndarray) -> tuple[np.ndarray, list[list[int]]]:
    """Whole numbers [N, K] -> indices int16 [N, K], and for each factor its values in ascending order.

    Args:
        where: the file and the array, for messages.

    Raises:
        UserError: numbers that are not whole, or too many different values.
    """
    if array.dtype.kind == "f":
        rows, columns = np.nonzero(
            ~np.isfinite(array) | (array != np.floor(array)) | (np.abs(array) >= WHOLE)
        )
        if len(rows):
            raise UserError(
                f"{where}: row {rows[0]}, column {columns[0]} is {array[rows[0], columns[0]]:g}; factors are "
                f"whole numbers, one for each of a few values. {CONTINUOUS}"
            )
        array = array.astype(np.int64)
    indices, values = [], []
    for k, column in enumerate(array.T):
        found, index = np.unique(column, return_inverse=True)
        if len(found) > MOST_VALUES:
            raise UserError(
                f"{where}: column {k} has {len(found):,} different values, and a factor has {MOST_VALUES:,} "
                f"at most. {CONTINUOUS}"
            )
        indices.append(index.astype(np.int16))
        values.append([int(value) for value in found])
    return np.stack(indices, axis=1), values


def grid_places(factors: np.ndarray, sizes: Sequence[int]) -> np.ndarray | None:
    """int64 [N]: the row of each image in the full grid; None if the factors are no full grid."""
    if math.prod(sizes) != len(factors):
        return None
    places = grid.rows(factors, sizes)
    return places if len(np.unique(places)) == len(places) else None


def placed(array: np.ndarray | None, places: np.ndarray | None) -> np.ndarray | None:
    """The array with its rows moved to these places; unchanged if either is None."""
    if array is None or places is None:
        return array
    found = np.empty_like(array)
    found[places] = array
    return found


def label_numbers(where: str, array: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Whole numbers [N] -> int64 [N], and the name of each label: ``names``, or else the numbers.

    Raises:
        UserError: there is only one label, or some labels have no name.
    """
    values, index = np.unique(array, return_inverse=True)
    if len(values) == 1:
        raise UserError(
            f"{where}: all labels are {int(values[0])}. Set `labels: false` in params.yaml to leave them out."
        )
    if not names:
        return index.astype(np.int64), tuple(str(int(value)) for value in values)
    if values[0] < 0 or values[-1] >= len(names):
        raise UserError(
            f"{where}: labels from {int(values[0])} to {int(values[-1])}, and label_names has {len(names)} "
            f"names, for 0 to {len(names) - 1}. Give one name per label from 0, or none."
        )
    return array.astype(np.int64), tuple(names)


def attribute_values(where: str, array: np.ndarray) -> np.ndarray:
    """Numbers [N, A] -> float32 [N, A].

    Raises:
        UserError: NaN, or values beyond the range of float32.
    """
    with np.errstate(over="ignore"):
        values = array.astype(np.float32)
    rows, columns = np.nonzero(~np.isfinite(values))
    if len(rows):
        raise UserError(
            f"{where}: row {rows[0]}, column {columns[0]} is {array[rows[0], columns[0]]}, which is no "
            "finite float32. Repair it, or set `attributes: false` in params.yaml to leave them out."
        )
    return values

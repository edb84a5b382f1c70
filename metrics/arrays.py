"""Checks of a metric's arrays: shape, type, finiteness. Each error says what was found and what to do.

`metrics.vocabulary` is the table of the arrays: their names, shapes, units and meanings. Magnitudes go up to
1e15; beyond, a model has diverged.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "at_least",
    "codes_and_factors",
    "codes_and_targets",
    "enough_vary",
    "fraction_images",
    "generator",
    "integers",
    "nonnegative",
    "per_image",
    "quantities",
    "real",
    "row_mask",
    "same_rows",
    "value_index",
    "whole",
]

# Beyond this a model has diverged, and squares and ranges start to overflow in float32.
LARGEST = 1e15


def _found(array: NDArray[Any]) -> str:
    return f"{array.dtype} {list(array.shape)}"


def real(name: str, values: ArrayLike, axes: str = "N, L", *, rows: int = 1) -> NDArray[Any]:
    """Finite real numbers of the shape `axes`; float32 and float64 stay as they are, others become float64.

    Raises ValueError on another number of axes, an empty axis, fewer than `rows` rows, a type that is not
    real, NaN, infinity, or magnitudes over 1e15.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name}: expected real numbers [{axes}], got {_found(array)}; convert it to float")
    if array.ndim != axes.count(",") + 1 or 0 in array.shape:
        raise ValueError(
            f"{name}: expected a non-empty array [{axes}], got {_found(array)}; "
            "one row per image, no axis left out"
        )
    at_least(name, len(array), rows)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    # NaN and infinity show in one of these, without a mask of the array's size.
    low, high = array.min(), array.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        bad = np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))
        raise ValueError(
            f"{name}: expected finite numbers, found NaN or infinity in {len(bad)} of {len(array)} rows "
            f"(first: row {bad[0]}); the model has diverged, leave it out"
        )
    if max(-float(low), float(high)) > LARGEST:
        raise ValueError(
            f"{name}: expected magnitudes up to {LARGEST:g}, found {max(-float(low), float(high)):g}; "
            "the model has diverged, leave it out"
        )
    return array


def integers(name: str, values: ArrayLike, axes: str, *, rows: int = 1) -> NDArray[Any]:
    """Integers of the shape `axes`: value indices or class numbers; only equality is ever used."""
    array = np.asarray(values)
    if array.dtype.kind not in "iub":
        raise ValueError(
            f"{name}: expected integers [{axes}], got {_found(array)}; "
            "pass each value's index, not the value itself"
        )
    if array.ndim != axes.count(",") + 1 or 0 in array.shape:
        raise ValueError(
            f"{name}: expected a non-empty array [{axes}], got {_found(array)}; one row per image"
        )
    at_least(name, len(array), rows)
    return array


def quantities(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Ground-truth factors [N, K] whose values are used as numbers, real or integer, as float64."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub" or array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name}: expected numbers [N, K], got {_found(array)}; one row per image")
    array = array.astype(np.float64)
    if not np.isfinite(array).all() or np.abs(array).max() > LARGEST:
        raise ValueError(
            f"{name}: expected finite numbers up to {LARGEST:g}, found others; pass values in a sensible unit"
        )
    return array


def codes_and_factors(
    codes: ArrayLike, factors: ArrayLike, *, numbers: bool = False
) -> tuple[NDArray[Any], NDArray[Any]]:
    """z [N, L] and v [N, K], N ≥ 2: factors as integers of which only equality is used, or as float64
    (`numbers`).

    Raises ValueError like `real` and `integers` (`quantities`), and when the numbers of rows differ.
    """
    z = real("codes", codes, rows=2)
    v = quantities("factors", factors) if numbers else integers("factors", factors, "N, K")
    same_rows(codes=z, factors=v)
    return z, v


def codes_and_targets(codes: ArrayLike, targets: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """z [N, L], N ≥ 2, and the targets of a probe, [N] or [N, K], as columns [N, K].

    Raises ValueError like `real` and `integers`, and when the numbers of rows differ.
    """
    z = real("codes", codes, rows=2)
    columns = np.asarray(targets)
    columns = (
        integers("targets", columns, "N")[:, None]
        if columns.ndim == 1
        else integers("targets", columns, "N, K")
    )
    same_rows(codes=z, targets=columns)
    return z, columns


def whole(name: str, value: object, least: int, field: str) -> int:
    """A setting that is a number of things. `field` says which value is usual, for the error."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name}: expected an integer ≥ {least}, got {value!r}; {field}")
    return int(value)


def nonnegative(name: str, value: float, what: str, field: str) -> float:
    """A setting that is a finite number ≥ 0. For the error, `what` names it and `field` the usual value."""
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name}: expected {what} ≥ 0, got {value!r}; {field}")
    return float(value)


def row_mask(name: str, values: ArrayLike) -> NDArray[np.bool_]:
    """A bool per row."""
    array = np.asarray(values)
    if array.dtype != np.bool_ or array.ndim != 1:
        raise ValueError(
            f"{name}: expected bool [N], got {_found(array)}; True marks a row held out from training"
        )
    return array


def per_image(name: str, values: ArrayLike, *, infinite: bool = False) -> NDArray[np.float64]:
    """Nats per image, float64 [N]; +inf passes where it is a value (`infinite`)."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiu" or array.ndim != 1 or not len(array):
        raise ValueError(
            f"{name}: expected nats per image [N], N ≥ 1, got {_found(array)}; do not average over images"
        )
    array = array.astype(np.float64)
    bad = ~np.isfinite(array)
    if infinite:
        bad &= array != np.inf
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"{name}: expected finite nats per image{' (or +inf)' if infinite else ''}, "
            f"found {array[first]} at row {first} and {int(bad.sum())} such rows in all; "
            "the model has diverged, leave it out"
        )
    return array


def fraction_images(name: str, values: ArrayLike) -> NDArray[Any]:
    """Images with values in [0, 1]."""
    array = real(name, values, "N, C, H, W")
    low, high = float(array.min()), float(array.max())
    if low < 0 or high > 1:
        raise ValueError(
            f"{name}: expected values in [0, 1], found [{low:g}, {high:g}]; divide 8-bit images by 255"
        )
    return array


def same_rows(**arrays: NDArray[Any]) -> None:
    """Raise ValueError where arrays differ in the number of rows: each has one row per image."""
    if len({len(array) for array in arrays.values()}) > 1:
        found = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
        raise ValueError(
            f"expected the same number of rows (images come first), got {found}; is one transposed?"
        )


def at_least(name: str, found: int, needed: int) -> None:
    """Raise ValueError where there are fewer rows than a metric needs."""
    if found < needed:
        raise ValueError(f"{name}: expected at least {needed} rows, got {found}; pass more images")


def enough_vary(name: str, found: int, of: int, *, least: int = 1, over: str = "") -> None:
    """Raise ValueError where fewer columns vary than a metric needs.

    found: the number of columns that vary. of: the number of all. least: the number needed. over: which rows,
    for the error.
    """
    if found >= least:
        return
    if least == 1:
        raise ValueError(
            f"{name}: expected one that varies{over}, but all {of} are constant; "
            "pass more images, or leave this metric out"
        )
    raise ValueError(
        f"{name}: expected at least {least} that vary{over}, got {found} of {of}; "
        "with fewer there is nothing to tell apart: leave this metric out, or pass more images"
    )


def generator(rng: object) -> np.random.Generator:
    """The only source of a metric's random numbers; raises ValueError on anything else."""
    if not isinstance(rng, np.random.Generator):
        raise ValueError(
            f"rng: expected a numpy.random.Generator, got {type(rng).__name__}; "
            "pass numpy.random.default_rng(seed)"
        )
    return rng


def value_index(column: NDArray[Any]) -> tuple[NDArray[np.intp], int]:
    """Integers [N] -> the rank of each among the values that occur [N], and how many occur."""
    if column.dtype == np.bool_:
        column = column.astype(np.int8)
    low, high = int(column.min()), int(column.max())
    if high - low > len(column) + 1000:  # far apart: sort instead of counting
        values, index = np.unique(column, return_inverse=True)
        return index.astype(np.intp, copy=False), len(values)
    shifted = (
        column.astype(np.int64) - low if column.dtype.kind == "i" else column - column.dtype.type(low)
    ).astype(np.intp)
    occurs = np.bincount(shifted) > 0
    rank = np.cumsum(occurs) - 1
    return rank[shifted], int(rank[-1]) + 1

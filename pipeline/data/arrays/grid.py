"""Factor grids: every combination of the factors' values once, in lexicographic order.

With factor sizes n_1 .. n_K, the image with the factor indices f_1 .. f_K is in row

    i = ((f_1 n_2 + f_2) n_3 + f_3) ...            0 <= f_k < n_k

that is, the last factor changes fastest, and arithmetic gives rows from factors and factors from rows. A
subset keeps some values of some factors. It is a full grid again, with the kept values renumbered from 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

__all__ = ["evenly_spaced", "factor_table", "rows", "select"]


def factor_table(sizes: Sequence[int]) -> np.ndarray:
    """int16 [N, K], N the product of the sizes: the factor indices of every row of a full grid."""
    return np.stack([axis.ravel() for axis in np.indices(sizes, dtype=np.int16)], axis=1)


def rows(factors: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """int64 [...]: the rows of a full grid that have these factor indices ([..., K])."""
    return np.ravel_multi_index(tuple(np.moveaxis(np.asarray(factors, dtype=np.int64), -1, 0)), tuple(sizes))


def evenly_spaced(size: int, count: int, *, period: int | None = None) -> list[int]:
    """``count`` ascending indices out of ``size``, as evenly spaced as whole numbers allow; halves round up.

    A factor on a line keeps its first and last value; a count of 1 keeps the first. A cyclic factor returns
    to its start after ``period`` indices: its values are spaced on the circle, and the start appears only
    once unless all ``size`` values are kept.
    """
    if not 1 <= count <= size:
        raise ValueError(f"has {size} values: keep 1 to {size} of them, got {count}")
    if count == size:
        return list(range(size))
    if period is not None:
        return [(2 * j * period + count) // (2 * count) for j in range(count)]
    gaps = max(count - 1, 1)
    return [(2 * j * (size - 1) + gaps) // (2 * gaps) for j in range(count)]


def select(
    subset: Mapping[str, int | Sequence[int]],
    sizes: Mapping[str, int],
    periods: Mapping[str, int] | None = None,
) -> dict[str, list[int]]:
    """The indices that are kept of every factor, ascending.

    Args:
        subset: factor -> a count of evenly spaced values, or the indices themselves; other factors keep all
            values.
        sizes: factor -> number of values, in the order of the grid.
        periods: cyclic factor -> the index at which it returns to its start.

    Raises:
        ValueError: an unknown factor, a count or an index out of range, an index twice, an empty list.
    """
    for name in subset:
        if name not in sizes:
            raise ValueError(f"there is no factor {name!r}; factors: {', '.join(sizes)}")
    kept: dict[str, list[int]] = {}
    for name, size in sizes.items():
        choice = subset.get(name, size)
        if isinstance(choice, int):
            try:
                kept[name] = evenly_spaced(size, choice, period=(periods or {}).get(name))
            except ValueError as error:
                raise ValueError(f"factor {name!r} {error}") from None
            continue
        indices = sorted(choice)
        if not indices:
            raise ValueError(
                f"factor {name!r}: the list is empty; list indices, or leave the factor out to keep all "
                "values"
            )
        if indices[0] < 0 or indices[-1] >= size:
            outside = [index for index in indices if not 0 <= index < size]
            raise ValueError(f"factor {name!r} has the indices 0 to {size - 1}, got {outside}")
        if len(set(indices)) < len(indices):
            twice = sorted({index for index in indices if indices.count(index) > 1})
            raise ValueError(f"factor {name!r}: list each index once; listed more than once: {twice}")
        kept[name] = indices
    return kept

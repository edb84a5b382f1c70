"""Interventions on a table of codes: rows are picked by their value of a factor.

The definitions hold a factor at a value, draw the others anew, render images and encode them. Here the rows
with that value replace these images. On a full grid of factors, with as many rows everywhere, both have the
same distribution. On any other table the rows stand for the population, with whatever dependence between
factors they have.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics import arrays

__all__ = ["Rows", "chunks", "varying"]

_CHUNK = 2**17  # numbers at a time: two tables of 1 MiB stay in cache


class Rows:
    """The rows of one factor, sorted by value: the rows with a value are `order[start : start + count]`."""

    def __init__(self, column: NDArray[Any]) -> None:
        self.value, self.values = arrays.value_index(column)
        # up to 16 bits the stable sort is a radix sort, four times as fast
        narrow = self.value.astype(np.uint16) if self.values <= 2**16 else self.value
        self.order = np.argsort(narrow, kind="stable")
        self.count = np.bincount(self.value)
        self.start = np.cumsum(self.count) - self.count

    def partners(self, rows: NDArray[Any], rng: np.random.Generator) -> NDArray[np.intp]:
        """For each row a row with the same value of the factor, drawn uniformly."""
        value = np.take(self.value, rows)
        count = np.take(self.count, value)
        # random() < 1, but its product with a large count may round up to the count itself
        step = np.minimum((rng.random(rows.shape) * count).astype(np.intp), count - 1)
        step += np.take(self.start, value)
        return np.take(self.order, step)


def varying(v: NDArray[Any], least: int) -> dict[int, Rows]:
    """Factors [N, K] -> the rows of each factor that varies, by its number.

    Raises ValueError when fewer than `least` vary, and when one of them never has the same value twice: a
    pair of rows that share it would be an image with itself.
    """
    groups = {k: group for k, column in enumerate(v.T) if (group := Rows(column)).values > 1}
    arrays.enough_vary("factors", len(groups), v.shape[1], least=least)
    if alone := [k for k, group in groups.items() if group.values == len(v)]:
        raise ValueError(
            f"factors: {len(alone)} of {v.shape[1]} have another value in every one of the {len(v)} rows, "
            "so no pair can share it; pass value indices of a discrete factor, or more images"
        )
    return groups


def chunks(points: NDArray[np.intp], numbers: int) -> list[NDArray[np.intp]]:
    """Points [P], each with so many numbers of working memory -> parts of the points that fit the cache."""
    step = max(1, _CHUNK // numbers)
    return [points[start : start + step] for start in range(0, len(points), step)]

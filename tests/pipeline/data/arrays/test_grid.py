"""Factor grids: the arithmetic of rows, and what a subset keeps."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from pipeline.data.arrays.grid import evenly_spaced, factor_table, rows, select

SIZES = {"shape": 3, "angle": 6, "x": 4}


def test_the_table_is_lexicographic_and_rows_are_its_inverse():
    table = factor_table((3, 6, 4))
    assert table.tolist() == [list(combination) for combination in product(range(3), range(6), range(4))]
    np.testing.assert_array_equal(rows(table, (3, 6, 4)), np.arange(72))


@pytest.mark.parametrize("size", [1, 2, 6, 32])
def test_spacing_on_a_line_keeps_both_ends_and_is_even(size: int):
    for count in range(2, size + 1):
        gaps = np.diff(evenly_spaced(size, count))
        assert len(gaps) == count - 1
        assert evenly_spaced(size, count)[0] == 0
        assert evenly_spaced(size, count)[-1] == size - 1
        assert gaps.min() >= 1
        assert gaps.max() - gaps.min() <= 1
    assert evenly_spaced(size, 1) == [0]


def test_spacing_on_a_circle_is_even_across_the_turn_and_never_returns_to_the_start():
    for count in range(1, 40):
        indices = evenly_spaced(40, count, period=39)
        gaps = np.diff([*indices, 39])  # 39 is the start again
        assert len(set(indices)) == count
        assert 39 not in indices
        assert gaps.min() >= 1
        assert gaps.max() - gaps.min() <= 1
    assert evenly_spaced(40, 40, period=39) == list(range(40))
    assert evenly_spaced(40, 3, period=39) == [0, 13, 26]


def test_a_subset_keeps_what_it_names_and_all_of_the_rest():
    assert select({"angle": 3, "x": [3, 0]}, SIZES, {"angle": 6}) == {
        "shape": [0, 1, 2],
        "angle": [0, 2, 4],
        "x": [0, 3],
    }
    assert select({}, SIZES) == {"shape": [0, 1, 2], "angle": list(range(6)), "x": list(range(4))}


@pytest.mark.parametrize(
    ("subset", "message"),
    [
        ({"colour": 1}, "no factor 'colour'; factors: shape, angle, x"),
        ({"x": 0}, "'x' has 4 values: keep 1 to 4 of them, got 0"),
        ({"x": 5}, "'x' has 4 values: keep 1 to 4 of them, got 5"),
        ({"x": -1}, "'x' has 4 values: keep 1 to 4 of them, got -1"),
        ({"x": []}, "'x': the list is empty"),
        ({"x": [0, 4, -1]}, r"'x' has the indices 0 to 3, got \[-1, 4\]"),
        ({"x": [1, 2, 1]}, r"'x': list each index once; listed more than once: \[1\]"),
    ],
)
def test_what_cannot_be_kept_is_named(subset: dict, message: str):
    with pytest.raises(ValueError, match=message):
        select(subset, SIZES)

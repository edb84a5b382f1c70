"""Checks of arrays, the messages of their errors, and the numbering of values."""

from __future__ import annotations

import numpy as np
import pytest

from metrics import arrays


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_pass_as_they_are(dtype: type) -> None:
    given = np.ones((3, 2), dtype=dtype)
    assert arrays.real("codes", given) is given


@pytest.mark.parametrize("dtype", [np.float16, np.int32, np.uint8, np.bool_])
def test_other_numbers_become_double(dtype: type) -> None:
    assert arrays.real("codes", np.ones((3, 2), dtype=dtype)).dtype == np.float64


def test_errors_say_what_was_found_and_what_to_do() -> None:
    codes = np.zeros((4, 2))
    codes[[1, 3], 1] = np.nan
    with pytest.raises(
        ValueError, match=r"codes: .*NaN or infinity in 2 of 4 rows \(first: row 1\); .*leave it out"
    ):
        arrays.real("codes", codes)
    with pytest.raises(ValueError, match=r"codes: .*up to 1e\+15, found 2e\+15; .*leave it out"):
        arrays.real("codes", [[1.0, -2e15]])
    with pytest.raises(ValueError, match=r"codes: .*\[N, L\], got float64 \[3\]; one row per image"):
        arrays.real("codes", np.zeros(3))
    with pytest.raises(
        ValueError,
        match=r"factors: expected integers \[N, K\], got float64 \[3, 2\]; pass each value's index",
    ):
        arrays.integers("factors", np.zeros((3, 2)), "N, K")
    with pytest.raises(ValueError, match=r"images: expected values in \[0, 1\], found \[0, 255\]; divide"):
        arrays.fraction_images("images", np.array([[[[0, 255]]]], dtype=np.uint8))
    with pytest.raises(ValueError, match=r"test: expected bool \[N\], got int64 \[3\]"):
        arrays.row_mask("test", np.arange(3))
    with pytest.raises(ValueError, match=r"rng: .*got int; pass numpy.random.default_rng"):
        arrays.generator(0)
    with pytest.raises(ValueError, match=r"codes \[10, 500\], factors \[500, 3\]; is one transposed"):
        arrays.same_rows(codes=np.zeros((10, 500)), factors=np.zeros((500, 3)))
    with pytest.raises(
        ValueError, match=r"rate: expected finite nats per image \(or \+inf\), found nan at row 1"
    ):
        arrays.per_image("rate", [np.inf, np.nan], infinite=True)


@pytest.mark.parametrize(
    "values",
    [
        np.array([3, 3, -1, 7, -1]),
        np.array([2**62, -(2**62), 0, 2**62]),  # too far apart to count between
        np.array([np.iinfo(np.int8).min, np.iinfo(np.int8).max, 0], dtype=np.int8),
        np.array([2**64 - 1, 2**64 - 3], dtype=np.uint64),
        np.array([200, 255, 200], dtype=np.uint8),
        np.array([True, False, True]),
        np.array([5]),
    ],
    ids=str,
)
def test_value_index_is_the_rank_among_the_values_that_occur(values: np.ndarray) -> None:
    distinct, expected = np.unique(values, return_inverse=True)
    index, size = arrays.value_index(values)
    np.testing.assert_array_equal(index, expected)
    assert size == len(distinct)

"""All the mutual informations at once, against scikit-learn's one by one."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from metrics import information


def test_the_matrix_is_that_of_single_pairs() -> None:
    rng = np.random.default_rng(0)
    factors = np.stack(
        [rng.integers(3, size=700), np.full(700, 4), rng.integers(9, size=700) * 10**12], axis=1
    )
    codes = np.stack([factors[:, 0] + rng.normal(size=700), rng.normal(size=700), np.full(700, 0.1)], axis=1)
    shared = information.between(codes, factors, 20)
    assert shared.kept == [0, 2]
    b = information.binned(codes, 20)
    for j in range(3):
        for column, k in enumerate(shared.kept):
            one = mutual_info_score(b[j], factors[:, k])
            assert shared.mutual[j, column] == pytest.approx(one, abs=1e-12)
            both = np.unique(np.stack([b[j], factors[:, k]]), axis=1, return_counts=True)[1]
            assert shared.joint[j, column] == pytest.approx(information.entropy(both), abs=1e-12)
    np.testing.assert_allclose(shared.codes, [mutual_info_score(code, code) for code in b], atol=1e-12)
    np.testing.assert_allclose(
        shared.factors, [mutual_info_score(v, v) for v in factors[:, shared.kept].T], rtol=1e-12
    )


def test_tables_of_all_codes_are_those_of_each() -> None:
    rng = np.random.default_rng(1)
    b, values, sizes = rng.integers(7, size=(4, 50)), [rng.integers(s, size=50) for s in (2, 5)], [2, 5]
    for table, value, size in zip(information.tables(b, 7, values, sizes), values, sizes, strict=True):
        assert table.shape == (4, 7, size)
        for one, code in zip(table, b, strict=True):
            np.testing.assert_array_equal(one, information.contingency(code, value, (7, size)))


@pytest.mark.parametrize("values", [2, 3, 7, 40])
def test_a_constant_shares_exactly_nothing(values: int) -> None:
    # Modularity divides by what a code knows, so a rounding error would make a constant a code that knows
    # something.
    counts = np.zeros((20, values))
    counts[13] = np.random.default_rng(values).integers(1, 10**6, size=values)
    assert information.mutual_information(counts) == 0
    assert information.mutual_information(counts.T) == 0
    independent = np.outer(np.arange(1, 21), counts[13])
    assert information.mutual_information(independent) == 0


def test_the_least_information_of_ten_million_images_is_not_taken_for_rounding() -> None:
    counts = 2_500_000 + np.array([[1, -1], [-1, 1]])
    assert information.mutual_information(counts) == pytest.approx(0.5 * (4e-7) ** 2, rel=0.1)


@pytest.mark.parametrize("axis", [0, 1])
def test_leads(axis: int) -> None:
    known = np.array([[3.0, 1, 1], [2, 2, 0], [0, 0, 0], [0, 0.5, 0]])
    found = information.leads(known if axis else known.T, axis=axis)
    np.testing.assert_array_equal(found, [2, 0, 0, 0.5])
    alone = known[:, :1] if axis else known[:, :1].T
    np.testing.assert_array_equal(information.leads(alone, axis=axis), [3, 2, 0, 0])
    pair = known[:, :2] if axis else known[:, :2].T
    np.testing.assert_array_equal(information.leads(pair, axis=axis), [2, 0, 0, 0.5])

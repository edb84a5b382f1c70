"""The parts of a data set: their sizes, their balance over classes, their seed; combinations of factors."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.data.arrays.grid import factor_table
from pipeline.data.arrays.holdout import combined, hold_out, parts
from pipeline.store.ready import TEST, TRAIN, VALIDATION


@pytest.mark.parametrize("fraction", [0.001, 0.2, 0.5, 0.999])
def test_the_part_has_its_size_and_every_class_its_share(fraction: float):
    labels = np.random.default_rng(0).choice([3, 5, 9], size=1001, p=[0.7, 0.2, 0.1])
    test = hold_out(1001, fraction, 0, labels)
    assert test is not None
    assert test.sum() == np.floor(fraction * 1001 + 0.5)
    for label in (3, 5, 9):
        # By largest remainders a class is off its exact share by less than one image.
        assert abs(test[labels == label].sum() - test.mean() * (labels == label).sum()) < 1


def test_the_seed_decides_which():
    first, again, other = hold_out(500, 0.3, 1), hold_out(500, 0.3, 1), hold_out(500, 0.3, 2)
    assert first is not None
    assert other is not None
    np.testing.assert_array_equal(first, again)
    assert first.sum() == other.sum() == 150
    assert (first != other).any()


def test_nothing_held_out_is_none_and_too_little_is_an_error():
    assert hold_out(10, 0.0, 0) is None
    for fraction in (0.01, 0.99):
        with pytest.raises(ValueError, match="of 10 images"):
            hold_out(10, fraction, 0)


def test_test_and_validation_are_apart_and_stratified():
    labels = np.random.default_rng(0).choice([3, 5, 9], size=1000, p=[0.7, 0.2, 0.1])
    found = parts(1000, test_fraction=0.2, validation_fraction=0.1, labels=labels)
    assert found is not None
    np.testing.assert_array_equal(np.bincount(found), [700, 100, 200])
    np.testing.assert_array_equal(found == TEST, hold_out(1000, 0.2, 0, labels))
    for label in (3, 5, 9):
        share = (labels == label).sum()
        # each draw is off a class's exact share by less than one image, and the second draws from what the
        # first left
        assert abs((found[labels == label] == VALIDATION).sum() - 0.1 * share) < 2


def test_no_part_at_all():
    assert parts(100) is None


def test_the_validation_part_does_not_move_the_test_part():
    with_it, without = parts(500, test_fraction=0.3, validation_fraction=0.1), parts(500, test_fraction=0.3)
    assert with_it is not None
    assert without is not None
    np.testing.assert_array_equal(with_it == TEST, without == TEST)


def test_a_fixed_test_part_is_kept_and_validation_is_drawn_from_the_rest():
    given = np.arange(100) >= 80
    found = parts(100, validation_fraction=0.1, test=given)
    assert found is not None
    np.testing.assert_array_equal(found == TEST, given)
    np.testing.assert_array_equal(np.bincount(found), [70, 10, 20])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test_fraction": 0.6, "validation_fraction": 0.4}, "none is left to train on"),
        ({"test_fraction": 0.6, "validation_fraction": 0.6}, "none is left to train on"),
        ({"validation_fraction": 0.2}, "there must be a test part"),
        ({"test_fraction": 0.2, "test": np.arange(10) > 7}, "leave one out"),
        ({"test": np.zeros(10, dtype=bool)}, "0 of 10 images are in the test part"),
        ({"test": np.ones(10, dtype=bool)}, "10 of 10 images"),
    ],
)
def test_parts_that_cannot_be_are_refused(options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        parts(10, **options)


def test_combinations_are_images_that_have_all_of_their_values():
    names, sizes = ("shape", "scale", "x"), (3, 2, 4)
    factors = factor_table(sizes)
    found = combined(factors, names, sizes, {"shape": [2], "x": [2, 3]})
    np.testing.assert_array_equal(found, (factors[:, 0] == 2) & (factors[:, 2] >= 2))
    assert found.sum() == 2 * 2
    either = combined(factors, names, sizes, [{"shape": [2], "x": [2, 3]}, {"scale": [0], "shape": [0]}])
    np.testing.assert_array_equal(either, found | ((factors[:, 1] == 0) & (factors[:, 0] == 0)))
    left = factors[parts(len(factors), test=found) == TRAIN]
    assert {*left[:, 0]} == {0, 1, 2}, "every value is still seen: only their combination is not"


def test_a_combination_of_unknown_factors_is_refused():
    factors = factor_table((3, 2))
    with pytest.raises(ValueError, match="there is no factor 'colour'; factors: shape, scale"):
        combined(factors, ("shape", "scale"), (3, 2), {"colour": [0]})
    with pytest.raises(ValueError, match=r"factor 'scale' has the indices 0 to 1 here, got \[2\]"):
        combined(factors, ("shape", "scale"), (3, 2), {"scale": [1, 2]})

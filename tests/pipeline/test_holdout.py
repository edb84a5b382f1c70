"""The held-out part: its size, its balance over classes, its seed."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.holdout import hold_out


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

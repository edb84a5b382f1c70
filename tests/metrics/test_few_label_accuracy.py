"""Few-label accuracy: which rows are labelled, a literal loop, and both ends of the number of labels."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from metrics.representation.few_label_accuracy import _place_in_class, few_label_accuracy
from metrics.representation.logistic_accuracy import logistic_accuracy

CODES, LABELS = load_digits(return_X_y=True)
TEST = np.arange(len(LABELS)) % 4 == 0


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_as_many_of_every_class() -> None:
    y = rng(1).permutation(np.repeat([0, 1, 2], [50, 20, 3]))
    order = rng(2).random(73)
    place = _place_in_class(y, order)
    for n in (1, 5, 30):
        np.testing.assert_array_equal(np.bincount(y[place < n]), np.minimum([50, 20, 3], n))
    for c in range(3):  # in the given order
        np.testing.assert_array_equal(place[y == c], order[y == c].argsort().argsort())


def test_one_label_per_class_of_separate_classes() -> None:
    labels = np.arange(400) % 4
    angle = np.pi / 2 * labels
    codes = np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.02 * rng(3).normal(size=(400, 2))
    found = few_label_accuracy(codes * [1e-5, 1e5], labels, rng())
    assert found == pytest.approx(
        {f"few_label_accuracy{end}": 1 for end in ("", "_1", "_10", "_100")}, abs=1e-12
    )


def test_more_labels_are_better_on_digits() -> None:
    found = few_label_accuracy(CODES, LABELS, rng(), test=TEST, draws=3)
    assert list(found) == ["few_label_accuracy", *(f"few_label_accuracy_{n}" for n in (1, 10, 100))]
    assert found["few_label_accuracy"] == found["few_label_accuracy_10"]
    assert (
        0.3 < found["few_label_accuracy_1"] < found["few_label_accuracy_10"] < found["few_label_accuracy_100"]
    )
    assert found["few_label_accuracy_100"] > 0.93


def test_all_labels_are_logistic_accuracy() -> None:
    found = few_label_accuracy(CODES, LABELS, rng(), test=TEST, per_class=10_000, also=(), draws=1)
    expected = logistic_accuracy(CODES, LABELS, rng(), test=TEST)["logistic_accuracy"]
    assert found == {"few_label_accuracy": expected, "few_label_accuracy_10000": expected}


def test_equals_a_loop_over_draws() -> None:
    codes, targets = CODES[:, 10:20], np.stack([LABELS, LABELS % 3], axis=1)
    found = few_label_accuracy(codes, targets, rng(4), test=TEST, per_class=5, also=(), draws=3)
    train = codes[~TEST]
    z = (codes - train.mean(axis=0)) / train.std(axis=0)
    scores, generator = [], rng(4)
    for _ in range(3):
        order = np.flatnonzero(~TEST)[generator.random(len(train)).argsort()]
        for y in targets.T:
            rows = np.concatenate([order[y[order] == c][:5] for c in np.unique(y)])
            model = LogisticRegression(max_iter=2000).fit(z[rows], y[rows])
            scores.append(model.score(z[TEST], y[TEST]))
    # The fits see their rows in another order and stop at slightly different points: a row or two in 450
    # each.
    assert found["few_label_accuracy"] == pytest.approx(np.mean(scores), abs=0.004)


def test_settings_and_targets_are_checked() -> None:
    for setting in ({"per_class": 0}, {"also": (1, 0)}, {"draws": 0}):
        with pytest.raises(ValueError, match=f"{next(iter(setting))}: expected an integer ≥ 1"):
            few_label_accuracy(CODES, LABELS, rng(), **setting)
    with pytest.raises(ValueError, match="targets: expected one that varies"):
        few_label_accuracy(CODES, LABELS * 0, rng())

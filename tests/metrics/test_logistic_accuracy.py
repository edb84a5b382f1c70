"""Accuracy of logistic regression on codes: separable data, known shares, and how rows are held out."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metrics.representation import logistic_accuracy as module
from metrics.representation.logistic_accuracy import logistic_accuracy

PERFECT = {"logistic_accuracy": 1, "logistic_accuracy_train": 1}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def clusters(n: int = 400, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Well separated classes, on code scales that are far apart."""
    labels = np.arange(n) % classes
    angle = 2 * np.pi * labels / classes
    codes = np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.05 * rng(1).normal(size=(n, 2))
    return codes * [1e-4, 1e4] + [3.0, -5.0], labels


def test_separable_classes_are_all_right() -> None:
    codes, labels = clusters()
    assert logistic_accuracy(codes, labels, rng()) == PERFECT
    assert logistic_accuracy(codes, labels, rng(), test=np.arange(400) >= 300) == PERFECT


def test_the_test_rows_alone_are_scored() -> None:
    codes, labels = clusters()
    test = np.arange(400) >= 300
    wrong = labels.copy()
    wrong[300:325] = (wrong[300:325] + 1) % 4  # a quarter of the test labels
    assert logistic_accuracy(codes, wrong, rng(), test=test) == {
        "logistic_accuracy": 0.75,
        "logistic_accuracy_train": 1,
    }


def test_the_test_rows_do_not_enter_the_standardisation() -> None:
    codes, labels = clusters()
    test = np.arange(400) >= 300
    spoiled = codes.copy()
    spoiled[399] = 1e12
    expected = logistic_accuracy(codes, labels, rng(), test=test)["logistic_accuracy_train"]
    assert logistic_accuracy(spoiled, labels, rng(), test=test)["logistic_accuracy_train"] == expected


def test_equals_a_scikit_learn_pipeline_on_digits() -> None:
    codes, labels = load_digits(return_X_y=True)  # three of the 64 pixels are constant
    test = np.arange(len(labels)) % 4 == 0
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(
        codes[~test], labels[~test]
    )
    # The two standardise with another rounding, so the fits stop at slightly different points: one row in 450
    # at most.
    found = logistic_accuracy(codes, labels, rng(), test=test)["logistic_accuracy"]
    assert found == pytest.approx(model.score(codes[test], labels[test]), abs=0.0025)
    assert found > 0.95


def test_a_fifth_of_every_class_is_held_out() -> None:
    labels = np.repeat([3, 7, 50, -2], [100, 50, 13, 2])
    labels = rng(2).permutation(labels)
    for seed in range(20):
        drawn = module._a_fifth_of_each(labels, rng(seed))
        assert drawn.sum() == 33  # of 165
        for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
            assert count // 5 <= drawn[labels == label].sum() <= -(-count // 5)
    assert not np.array_equal(
        module._a_fifth_of_each(labels, rng(0)), module._a_fifth_of_each(labels, rng(1))
    )


def test_no_true_in_test_is_no_test() -> None:
    codes = rng(3).normal(size=(300, 2))
    labels = (codes[:, 0] + rng(4).normal(size=300) > 0).astype(int)
    drawn = logistic_accuracy(codes, labels, rng(5))
    assert drawn == logistic_accuracy(codes, labels, rng(5), test=np.zeros(300, dtype=bool))


def test_constant_codes_answer_the_most_frequent_class() -> None:
    labels = np.where(np.arange(500) % 10 < 7, 1, 8)
    # 0.1 has no exact float: its standard deviation is not quite 0
    for constant in (0.0, 0.1, np.float32(-1234.567)):
        found = logistic_accuracy(np.full((500, 3), constant), labels, rng())
        assert found == pytest.approx({"logistic_accuracy": 0.7, "logistic_accuracy_train": 0.7}, abs=0.01)


def test_a_code_that_varies_only_among_the_test_rows_is_ignored() -> None:
    codes, labels = clusters()
    test = np.arange(400) >= 300
    surprise = np.concatenate([codes, np.where(test, 1e6, 0.1)[:, None]], axis=1)
    assert logistic_accuracy(surprise, labels, rng(), test=test) == PERFECT


def test_one_class_to_train_on_is_the_answer() -> None:
    codes, labels = clusters()
    # Trained on class 0 alone, tested on four classes in equal numbers but for those.
    found = logistic_accuracy(codes, labels, rng(), test=(labels > 0) | (np.arange(400) >= 200))
    assert found == {"logistic_accuracy": 50 / 350, "logistic_accuracy_train": 1}


def test_targets_that_do_not_vary_are_left_out() -> None:
    codes, labels = clusters()
    with pytest.raises(ValueError, match="targets: expected one that varies, but all 1 are constant"):
        logistic_accuracy(codes, labels * 0, rng())
    found = logistic_accuracy(codes, np.stack([labels, labels * 0], axis=1), rng())
    assert found == PERFECT | {"logistic_accuracy_0": 1}


def test_several_targets_are_averaged() -> None:
    codes, labels = clusters()
    bit = rng(7).integers(2, size=400)  # nothing to do with the codes
    for test in (None, np.arange(400) >= 300):
        found = logistic_accuracy(codes, np.stack([labels, bit], axis=1), rng(), test=test)
        alone = logistic_accuracy(codes, bit, rng(), test=test)
        assert list(found) == [*PERFECT, "logistic_accuracy_0", "logistic_accuracy_1"]
        assert found["logistic_accuracy_0"] == 1
        # 80 or 100 test rows at chance: standard deviation about 0.05
        assert found["logistic_accuracy_1"] == pytest.approx(0.5, abs=0.2)
        assert found["logistic_accuracy"] == pytest.approx((1 + found["logistic_accuracy_1"]) / 2, abs=1e-12)
        if test is not None:  # the same rows, the same fit
            assert found["logistic_accuracy_1"] == alone["logistic_accuracy"]
            assert found["logistic_accuracy_train"] == pytest.approx(
                (1 + alone["logistic_accuracy_train"]) / 2, abs=1e-12
            )


def test_a_class_that_only_the_test_rows_have_is_never_answered() -> None:
    codes, labels = clusters()
    found = logistic_accuracy(codes, labels, rng(), test=(labels == 3) | (np.arange(400) >= 300))
    assert found == {"logistic_accuracy": 75 / 175, "logistic_accuracy_train": 1}


def test_labels_that_hardly_repeat_are_refused() -> None:
    codes, _ = clusters()
    with pytest.raises(ValueError, match="found 400 classes among 400 rows to learn from"):
        logistic_accuracy(codes, np.arange(400), rng())


def test_nothing_to_train_or_to_draw_from_is_refused() -> None:
    codes, labels = clusters()
    with pytest.raises(ValueError, match="all 400 rows are held out, none is left to train on"):
        logistic_accuracy(codes, labels, rng(), test=np.ones(400, dtype=bool))
    with pytest.raises(ValueError, match="targets: expected at least 5 rows, got 4"):
        logistic_accuracy(codes[:4], labels[:4], rng())

"""The fast boosted trees against scikit-learn's exact ones, and the search for splits against all splits."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier

from metrics import boosting
from metrics.split_search import BINS, UNIT, Table


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def problem(rows: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    y = rng(seed).integers(classes, size=rows)
    x = rng(seed + 1).normal(size=(rows, 4))
    x[:, 0] += 0.8 * y
    x[:, 1] += 0.5 * (y % 2)
    x[:, 3] = np.round(x[:, 3])  # ties
    return x, y


def every_split(rows: np.ndarray, x: np.ndarray) -> float:
    """The largest gain of one node, by looking at every threshold of every code, as the formula says."""
    n, r = rows.astype(bool), rows
    best = 0.0
    for column in x.T:
        for threshold in np.unique(column[n])[:-1]:
            left = n & (column <= threshold)
            right = n & ~left
            gain = (
                r[left].sum() ** 2 / left.sum()
                + r[right].sum() ** 2 / right.sum()
                - r[n].sum() ** 2 / n.sum()
            )
            best = max(best, gain)
    return best


@pytest.mark.parametrize("rows", [40, 900])  # as many bins as values, and several values in a bin
def test_the_best_split_of_each_tree_is_found(rows: int) -> None:
    x, _ = problem(rows, 3)
    table = Table(x)
    residual = rng(2).normal(size=(rows, 7)) + (x[:, :1] > 0.3) * np.arange(7)
    residual = np.round(residual / np.abs(residual).sum(axis=0) * 2**30) / 2**30
    inside = rng(3).random(residual.shape) < np.array([1.0, 0.9, 0.5, 0.5, 0.2, 0.05, 0.0])
    packed = (residual + UNIT) * inside
    split = table.best(
        packed, table.histogram(packed), packed.sum(axis=0), residual.max(axis=0), np.zeros(7), rng()
    )
    for t in range(7):
        assert split.gain[t] == pytest.approx(
            every_split(residual[:, t] * inside[:, t], x), rel=1e-6, abs=1e-15
        )
        left = inside[:, t] & (table.rank[:, split.code[t]] <= split.rank[t])
        assert split.left[t] == packed[left, t].sum()  # bit for bit
        if left.any() and (inside[:, t] & ~left).any():
            of_left = (packed[left, t] - UNIT).sum()
            of_all = (residual[:, t] * inside[:, t]).sum()
            n, m = left.sum(), inside[:, t].sum()
            assert split.gain[t] == pytest.approx(
                (of_left * m - of_all * n) ** 2 / (n * (m - n) * m), rel=1e-6
            )


def test_a_bin_holds_one_value_or_about_a_share_of_the_rows() -> None:
    x, _ = problem(5000, 3)
    table = Table(x)
    counts = table.histogram(np.full((5000, 1), UNIT))[:, :, 0] / UNIT
    np.testing.assert_array_equal(counts.sum(axis=0), 5000)
    assert counts[:, :3].max() <= 2 * -(-5000 // BINS)
    values, expected = np.unique(x[:, 3], return_counts=True)
    np.testing.assert_array_equal(counts[: len(values), 3], expected)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_agrees_with_the_exact_trees(classes: int) -> None:
    x, y = problem(1500, classes)
    fresh, answer = problem(1500, classes, seed=10)
    exact = GradientBoostingClassifier(random_state=0, n_estimators=40).fit(x, y)
    fast = boosting.fit(x, y, trees=40)
    # Where two splits are nearly equal the two may take either, and go different ways from there.
    np.testing.assert_allclose(fast.importances, exact.feature_importances_, atol=0.02)
    assert np.mean(fast.fitted == y) == pytest.approx(exact.score(x, y), abs=0.015)
    assert np.mean(fast.predict(fresh) == answer) == pytest.approx(exact.score(fresh, answer), abs=0.015)
    assert np.mean(fast.predict(fresh) == exact.predict(fresh)) > 0.93


def test_stumps_are_the_exact_ones() -> None:
    x, y = problem(200, 3)  # fewer values than bins: the search leaves nothing out
    exact = GradientBoostingClassifier(random_state=0, n_estimators=50, max_depth=1).fit(x, y)
    fast = boosting.fit(x, y, trees=50, depth=1)
    # Rows travel on a grid of 1e-9; deeper trees would meet ties, of which either takes one at random.
    np.testing.assert_allclose(fast.importances, exact.feature_importances_, rtol=1e-5)
    np.testing.assert_array_equal(fast.fitted, exact.predict(x))


def test_training_rows_are_predicted_as_they_were_fitted() -> None:
    x, y = problem(800, 4)
    fast = boosting.fit(x, y, trees=30)
    np.testing.assert_array_equal(fast.predict(x), fast.fitted)


def test_increasing_functions_of_codes_change_nothing() -> None:
    x, y = problem(700, 4)
    a, b = boosting.fit(x, y, trees=20), boosting.fit(np.exp(x) * 1e-6, y, trees=20)
    np.testing.assert_array_equal(a.importances, b.importances)
    np.testing.assert_array_equal(a.fitted, b.fitted)


def test_copies_of_a_code_share_its_importance() -> None:
    x, y = problem(600, 3)
    copied = boosting.fit(x[:, [0, 0, 1]], y, trees=60).importances
    alone = boosting.fit(x[:, [0, 1]], y, trees=60).importances
    # Draws differ, so other ones of nearly equal splits win.
    assert copied[0] + copied[1] == pytest.approx(alone[0], abs=0.01)
    # 180 trees of up to 7 splits, but the early ones weigh most
    assert copied[0] / alone[0] == pytest.approx(0.5, abs=0.2)
    assert boosting.fit(x[:, [0, 0, 1]], y, trees=60).importances.tolist() == copied.tolist()


def test_nothing_to_learn_and_nothing_to_learn_from() -> None:
    x, y = problem(50, 3)
    constant = boosting.fit(np.zeros((50, 2)), y)
    np.testing.assert_array_equal(constant.importances, 0)
    np.testing.assert_array_equal(constant.predict(x[:, :2]), np.bincount(y).argmax())
    one_class = boosting.fit(x, np.zeros(50, dtype=int))
    np.testing.assert_array_equal(one_class.predict(x), 0)
    np.testing.assert_array_equal(one_class.importances, 0)

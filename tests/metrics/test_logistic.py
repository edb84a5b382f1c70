"""Logistic regression against scikit-learn's, where it is easy and where it is not."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from metrics import logistic
from metrics.cases import CASES
from metrics.standardised import standardised
from tests.metrics.harness import world


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("penalty", [1.0, 100.0])
def test_has_the_loss_of_scikit_learn(case: str, balanced: bool, penalty: float) -> None:
    arrays = world(case)
    x, y = standardised(arrays["codes"]) * 0.7 + 0.3, np.maximum(arrays["factors"][:, 1], 1) - 1
    model = LogisticRegression(
        C=1 / penalty, class_weight="balanced" if balanced else None, tol=1e-6, max_iter=10_000
    )
    expected = model.fit(x, y).predict_proba(x)
    weights = logistic.fit(x, y, 3, penalty=penalty, balanced=balanced)
    found = logistic.probabilities(x, weights)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-12)
    # The loss is flat about its optimum, so it agrees better than the probabilities do.
    assert logistic.log_loss(found, y) == pytest.approx(log_loss(y, expected), abs=5e-4)
    np.testing.assert_allclose(found.T, expected, atol=0.02)


def test_a_rare_value_and_two_values() -> None:
    rng = np.random.default_rng(3)
    y = (rng.random(500) < 0.05).astype(int)
    x = rng.normal(size=(500, 4)) + 2 * y[:, None]
    expected = LogisticRegression(C=0.1, tol=1e-8, max_iter=10_000).fit(x, y).predict_proba(x)
    found = logistic.probabilities(x, logistic.fit(x, y, 2, penalty=10.0))
    # Ours stops at a gradient of 1e-4.
    np.testing.assert_allclose(found.T, expected, atol=0.01)


@pytest.mark.parametrize("penalty", [1.0, 0.01])
def test_few_rows_per_class(penalty: float) -> None:
    """Nothing varies within a class of one or two rows, so the fit starts from a useless discriminant."""
    rng = np.random.default_rng(0)
    y = np.concatenate([np.arange(20), rng.integers(20, size=20)])
    x = rng.normal(size=(40, 10)) + y[:, None] / 10
    assert penalised(x, y, penalty, *logistic.fit(x, y, 20, penalty=penalty)) == pytest.approx(
        penalised(x, y, penalty, *peer(x, y, penalty)), abs=2e-3
    )


def test_columns_on_far_scales_and_nearly_equal_ones() -> None:
    """The penalty acts on the columns as they are: it alone holds directions without much spread."""
    rng = np.random.default_rng(1)
    y = rng.integers(4, size=400)
    x = rng.normal(size=(400, 5)) + np.eye(4)[y] @ rng.normal(size=(4, 5))
    x = np.concatenate([x, x + 1e-3 * rng.normal(size=x.shape)], axis=1) * [
        1,
        100,
        0.01,
        1,
        1,
        1,
        1,
        1,
        1e-5,
        1,
    ]
    found, expected = logistic.fit(x, y, 4), peer(x, y, 1.0)
    assert penalised(x, y, 1.0, *found) == pytest.approx(penalised(x, y, 1.0, *expected), abs=1e-4)
    np.testing.assert_allclose(
        logistic.probabilities(x, found), logistic.probabilities(x, expected), atol=0.01
    )


def test_answers_are_of_the_classes_that_occur() -> None:
    x = np.array([[-1.0], [-1.1], [0.9], [1.0]])
    queries = np.array([[-2.0], [2.0], [3.0]])
    np.testing.assert_array_equal(logistic.answers(x, np.array([5, 5, 2, 2]), queries), [5, 2, 2])
    np.testing.assert_array_equal(logistic.answers(x, np.full(4, 7), queries), [7, 7, 7])


def peer(x: np.ndarray, y: np.ndarray, penalty: float) -> logistic.Weights:
    model = LogisticRegression(C=1 / penalty, tol=1e-8, max_iter=1000, solver="newton-cholesky").fit(x, y)
    return model.coef_.T, model.intercept_


def penalised(x: np.ndarray, y: np.ndarray, penalty: float, w: np.ndarray, b: np.ndarray) -> float:
    return logistic.log_loss(logistic.probabilities(x, (w, b)), y) + penalty / (2 * len(x)) * float(
        np.square(w).sum()
    )

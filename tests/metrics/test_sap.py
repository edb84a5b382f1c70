"""SAP against hand-computed values, its definition, single classifiers and the established implementation."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.svm import LinearSVC

from metrics.disentanglement.sap import sap
from tests.metrics.harness import world

RNG = np.random.default_rng


def halves(n: int) -> np.ndarray:
    return np.arange(n) % 2 == 1


def gaps(accuracy: np.ndarray) -> np.ndarray:
    """Accuracies [K, L] -> by how much the best code leads [K]."""
    best = np.sort(accuracy, axis=1)
    return best[:, -1] - best[:, -2]


def line(x: np.ndarray, own: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """w and b of one class against the rest: the minimum of ½ (w² + b²) + C Σ s max(0, 1 − t (w x + b))²."""
    sign = np.where(own, 1, -1)

    def objective(wb: np.ndarray) -> tuple[float, np.ndarray]:
        inside = np.maximum(0, 1 - sign * (wb[0] * x + wb[1]))
        slope = -2 * 0.01 * weight * inside * sign
        return wb @ wb / 2 + 0.01 * weight @ inside**2, wb + np.array([slope @ x, slope.sum()])

    return minimize(objective, np.zeros(2), jac=True, method="BFGS", options={"gtol": 1e-9}).x


@pytest.mark.parametrize("sizes", [(3,), (4, 2)])
@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_lines_are_those_of_the_definition(sizes: tuple[int, ...], shift: float) -> None:
    rng = RNG(0)
    v = np.stack([rng.choice(s, size=900, p=np.arange(1, s + 1) / (s * (s + 1) / 2)) for s in sizes], axis=1)
    z = np.stack([v[:, 0] + rng.normal(size=900), rng.normal(size=900), -2.0 * v[:, 0]], axis=1) + shift
    test = halves(900)
    accuracy = np.empty((len(sizes), 3))
    for (k, size), j in itertools.product(enumerate(sizes), range(3)):
        y, x = v[~test, k], z[~test, j]
        balanced = len(y) / (size * np.bincount(y))
        # The others' rows weigh 1; with two classes there is one line, and each side has its own weight.
        weights = [balanced[y] if size == 2 else np.where(y == c, balanced[c], 1) for c in range(size)]
        lines = [line(x, y == c, weights[c]) for c in range(size)]
        answers = np.argmax([w * z[test, j] + b for w, b in lines], axis=0)
        accuracy[k, j] = np.mean(answers == v[test, k])
    scores = sap(z, v, RNG(0), test=test)
    assert [scores[f"sap_{k}"] for k in range(len(sizes))] == pytest.approx(gaps(accuracy), abs=1e-12)


@pytest.mark.parametrize("scale", [1e-200, 1e-9, 1e9, 1e14])
def test_codes_of_any_scale_have_a_score(scale: float) -> None:
    arrays = world("partial")
    z, v, test = arrays["codes"], arrays["factors"], arrays["test"]
    scores = sap(z * scale, v, RNG(0), test=test)
    # The penalty on the slope has no effect on large codes, and decides alone on small ones.
    alike = 1e6 if scale > 1 else 1e-6
    assert scores["sap"] == pytest.approx(sap(z * alike, v, RNG(0), test=test)["sap"], abs=1e-3)


def test_equals_one_classifier_after_the_other() -> None:
    arrays = world("partial")
    z, v, test = arrays["codes"], arrays["factors"], arrays["test"]
    accuracy = np.empty((v.shape[1], z.shape[1]))
    for k, j in np.ndindex(accuracy.shape):
        svc = LinearSVC(C=0.01, class_weight="balanced").fit(z[~test, j, None], v[~test, k])
        accuracy[k, j] = svc.score(z[test, j, None], v[test, k])
    scores = sap(z, v, RNG(0), test=test)
    # 1 of 600 test rows may fall on the other side of a line that LIBLINEAR did not run to its optimum.
    assert scores["sap"] == pytest.approx(np.mean(gaps(accuracy)), abs=2 / 600)
    assert [scores[f"sap_{k}"] for k in range(3)] == pytest.approx(gaps(accuracy), abs=2 / 600)


def test_a_bit_against_nothing() -> None:
    # A code that is the bit is always right; one that is constant is right in half of the rows.
    bit = np.repeat([0, 1], 50)
    scores = sap(np.stack([bit * 2.0, np.ones(100)], axis=1), bit[:, None], RNG(0), test=halves(100))
    assert scores == pytest.approx({"sap": 0.5, "sap_0": 0.5, "sap_continuous": 1}, abs=1e-12)
    alone = sap(bit[:, None] * 2.0, bit[:, None], RNG(0), test=halves(100))
    assert alone == pytest.approx(scores, abs=1e-12)  # the missing runner-up guesses, too


def test_correlations_of_real_factors() -> None:
    rng = RNG(1)
    v = rng.normal(size=(400, 2))
    z = np.stack([v[:, 0] + 0.5 * v[:, 1], v[:, 1], np.full(400, 7.0), v[:, 0] * 1e-7], axis=1)
    test = np.arange(400) % 4 == 0
    squared = np.corrcoef(z[~test, :2].T, v[~test].T)[:2, 2:] ** 2
    squared = np.vstack(
        [squared, np.zeros((2, 2))]
    )  # constant, and of a variance of 1e-14 as in the established one
    best = np.sort(squared, axis=0)
    scores = sap(z, v, RNG(0), test=test, continuous=True)
    assert scores["sap"] == pytest.approx(np.mean(best[-1] - best[-2]), abs=1e-9)
    assert list(scores) == ["sap", "sap_0", "sap_1"]
    with pytest.raises(ValueError, match="factors: expected integers"):
        sap(z, v, RNG(0), test=test)


def test_duplicated_codes_have_no_gap() -> None:
    arrays = world("perfect")
    scores = sap(arrays["codes"][:, [0, 1, 2, 0, 1, 2]], arrays["factors"], RNG(0))
    assert set(scores.values()) == {0.0}


def test_a_factor_without_a_second_value_to_train_on_is_left_out() -> None:
    arrays = world("perfect")
    v = arrays["factors"] * [1, 0, 1]
    assert {*sap(arrays["codes"], v, RNG(0))} == {"sap", "sap_0", "sap_2", "sap_continuous"}
    for continuous in (False, True):
        with pytest.raises(ValueError, match="all 3 are constant"):
            sap(arrays["codes"], v * 0, RNG(0), continuous=continuous)


@pytest.mark.parametrize("setting", ["train_rows", "test_rows"])
def test_settings_are_checked(setting: str) -> None:
    arrays = world("perfect")
    with pytest.raises(ValueError, match=setting):
        sap(arrays["codes"], arrays["factors"], RNG(0), **{setting: 0})


@pytest.mark.parametrize("case", ["perfect", "rotated", "trained", "collapsed"])
def test_equals_the_established_implementation(shared: Path, case: str) -> None:
    arrays = np.load(shared / "reference" / "metrics" / f"{case}.npz")
    expected = json.loads((shared / "reference" / "metrics" / f"{case}.json").read_text())["scores"]
    codes = np.concatenate([arrays["codes_train"], arrays["codes_test"]])
    factors = np.concatenate([arrays["factors_train"], arrays["factors_test"]])
    test = np.arange(15_000) >= 10_000
    scores = sap(codes, factors, RNG(0), test=test)
    # liblinear stops early: up to 5 of 5,000 rows of a pair fall on the other side; the gap is a mean of
    # five.
    assert scores["sap"] == pytest.approx(expected["sap_discrete"]["SAP_score"], abs=5e-4)
    assert scores["sap_continuous"] == pytest.approx(expected["sap_continuous"]["SAP_score"], abs=1e-6)
    again = sap(codes, factors.astype(float), RNG(0), test=test, continuous=True)
    assert again["sap"] == pytest.approx(scores["sap_continuous"], abs=1e-12)

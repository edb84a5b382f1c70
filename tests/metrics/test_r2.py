"""The coefficient of determination against scikit-learn's regressions and cases with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from metrics.cases import CASES
from metrics.disentanglement import r2 as module
from metrics.disentanglement.r2 import r2
from metrics.standardised import standardised
from tests.metrics.harness import world

RNG = np.random.default_rng


@pytest.mark.parametrize("case", CASES)
def test_linear_equals_least_squares(case: str) -> None:
    arrays = world(case)
    z, v, test = arrays["codes"], arrays["factors"], arrays["test"]
    expected = r2_score(
        v[test], LinearRegression().fit(z[~test], v[~test]).predict(z[test]), multioutput="raw_values"
    )
    scores = r2(z, v, RNG(0), test=test)
    assert [scores[f"r2_{k}"] for k in range(3)] == pytest.approx(np.maximum(expected, 0), abs=1e-9)
    assert scores["r2"] == pytest.approx(np.maximum(expected, 0).mean(), abs=1e-9)


def test_nonlinear_equals_kernel_ridge_with_the_ridge_of_least_leave_one_out_error() -> None:
    rng = RNG(0)
    z = rng.normal(size=(150, 3))
    v = np.stack([np.sin(2 * z[:, 0]), z[:, 1] + rng.normal(size=150)], axis=1)
    test = np.arange(150) >= 60
    x, y = standardised(z, ~test), standardised(v, ~test)
    expected = []
    for k in range(2):
        errors = []
        for ridge in module.RIDGES:
            left_out = 0.0
            for i in range(60):
                rest = np.delete(np.arange(60), i)
                model = KernelRidge(alpha=ridge, kernel="rbf", gamma=1 / 6).fit(x[rest], y[rest, k])
                left_out += float((model.predict(x[i : i + 1])[0] - y[i, k]) ** 2)
            errors.append(left_out)
        ridge = module.RIDGES[int(np.argmin(errors))]
        model = KernelRidge(alpha=ridge, kernel="rbf", gamma=1 / 6).fit(x[:60], y[:60, k])
        expected.append(max(0.0, r2_score(y[60:, k], model.predict(x[60:]))))
    assert r2(z, v, RNG(0), test=test)["r2_nonlinear"] == pytest.approx(np.mean(expected), abs=1e-9)


def test_a_linear_map_is_undone_and_a_smooth_one_by_the_kernel() -> None:
    rng = RNG(1)
    v = rng.uniform(-1, 1, size=(2000, 2))
    mixed = v @ rng.normal(size=(2, 4)) + 3
    assert r2(mixed, v, RNG(0)) == pytest.approx(
        {"r2": 1, "r2_nonlinear": 1, "r2_0": 1, "r2_1": 1}, abs=5e-3
    )  # the kernel's ridge takes a little
    # v = ±√|z| is not linear in z = v³, but smooth in (cos, sin) of an angle.
    angle = np.pi * v[:, :1]
    circle = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    scores = r2(circle, np.cos(2 * angle), RNG(0))
    assert scores["r2"] < 0.02
    assert scores["r2_nonlinear"] > 0.99


def test_codes_of_lower_rank_and_constant_codes() -> None:
    arrays = world("perfect")
    z, v = arrays["codes"], arrays["factors"]
    twice = np.concatenate([z, z[:, :1] - z[:, 1:2], np.ones((len(z), 1))], axis=1)
    # The same plane, in other coordinates: no other prediction.
    assert r2(twice, v, RNG(0))["r2"] == pytest.approx(r2(z, v, RNG(0))["r2"], abs=1e-9)
    assert r2(z * 0 + 0.1, v, RNG(0))["r2"] == 0
    assert r2(z * 0 + 0.1, v, RNG(0))["r2_nonlinear"] == 0


def test_affine_changes_of_real_factors_change_nothing() -> None:
    arrays = world("partial")
    z, v = arrays["codes"], arrays["factors"]
    scores = r2(z, v, RNG(0))
    other = r2(z, v * [-0.1, 1e6, 3.3] + [5, -1e9, 0.5], RNG(0))
    # 1e9 plus some leaves six digits of the factor's own.
    assert other == pytest.approx(scores, abs=1e-6)


def test_factors_constant_on_either_side_are_left_out() -> None:
    arrays = world("perfect")
    z, v, test = arrays["codes"], arrays["factors"].copy(), arrays["test"]
    v[test, 0] = 1
    v[~test, 2] = 1
    assert {*r2(z, v, RNG(0), test=test)} == {"r2", "r2_nonlinear", "r2_1"}
    with pytest.raises(ValueError, match="2400 training and over the 600 test rows"):
        r2(z, v[:, :1], RNG(0), test=test)


@pytest.mark.parametrize("rows", [1, 2.5, True])
def test_kernel_rows_are_checked(rows: object) -> None:
    arrays = world("perfect")
    with pytest.raises(ValueError, match="kernel_rows"):
        r2(arrays["codes"], arrays["factors"], RNG(0), kernel_rows=rows)  # type: ignore[arg-type]

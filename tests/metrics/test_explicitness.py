"""Explicitness against closed forms, scikit-learn's regression and areas, and disentanglement_lib."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from metrics.cases import CASES
from metrics.disentanglement.explicitness import explicitness
from metrics.standardised import standardised
from tests.metrics.harness import world

RNG = np.random.default_rng
UNDEFINED = {
    "few": "none of the 12 test rows has one value: scikit-learn has no area then; ours leaves it out (below)"
}


@pytest.mark.parametrize("case", [case for case in CASES if case not in UNDEFINED])
def test_equals_the_areas_of_scikit_learn(case: str) -> None:
    arrays = world(case)
    v, test = arrays["factors"], arrays["test"]
    x = standardised(arrays["codes"], ~test)
    scores = explicitness(arrays["codes"], v, RNG(0), test=test)
    for k in range(3):
        p = LogisticRegression().fit(x[~test], v[~test, k]).predict_proba(x[test])
        area = roc_auc_score(np.eye(p.shape[1])[v[test, k]], p)
        # Both stop where no component of the gradient exceeds 1e-4, at another point.
        assert scores[f"explicitness_{k}"] == pytest.approx(area, abs=5e-4)


def test_ties_count_half() -> None:
    # One code that is 1 in 3 of 4 rows with the value and in 1 of 4 without:
    # P(above) + P(equal)/2 = 9/16 + 6/32.
    code = np.tile([1, 1, 1, 0, 0, 0, 0, 1], 20)
    bit = np.tile([1, 1, 1, 1, 0, 0, 0, 0], 20)
    scores = explicitness(code[:, None], bit[:, None], RNG(0), test=np.arange(160) >= 80)
    assert scores == pytest.approx(dict.fromkeys(scores, 0.75), abs=1e-9)


def test_a_linear_map_changes_nothing_and_constant_codes_say_nothing() -> None:
    arrays = world("partial")
    z, v, test = arrays["codes"], arrays["factors"], arrays["test"]
    turned = z @ RNG(0).normal(size=(6, 6))
    same = explicitness(turned, v, RNG(0), test=test)["explicitness"]
    # The penalty does notice, with 2,400 rows hardly.
    assert same == pytest.approx(explicitness(z, v, RNG(0), test=test)["explicitness"], abs=2e-3)
    constant = explicitness(z * 0 + 0.1, v, RNG(0), test=test)
    assert set(constant.values()) == {0.5}


def test_values_without_rows_on_one_side_have_no_area() -> None:
    arrays = world("perfect")
    z, v, test = arrays["codes"], arrays["factors"].copy(), arrays["test"]
    v[test, 0] = 0  # constant where it is tested: left out
    v[test & (v[:, 1] == 3), 1] = 99  # never seen in training
    scores = explicitness(z, v, RNG(0), test=test)
    assert {*scores} == {"explicitness", "explicitness_train", "explicitness_1", "explicitness_2"}
    assert scores["explicitness_1"] > 0.9
    with pytest.raises(ValueError, match="varies over the 2400 training and over the 600 test rows"):
        explicitness(z, v[:, :1], RNG(0), test=test)


@pytest.mark.parametrize("case", ["perfect", "rotated", "trained", "collapsed"])
def test_equals_the_established_implementation(shared: Path, case: str) -> None:
    arrays = np.load(shared / "reference" / "metrics" / f"{case}.npz")
    expected = json.loads((shared / "reference" / "metrics" / f"{case}.json").read_text())["scores"]
    codes = np.concatenate([arrays["codes_train"], arrays["codes_test"]])
    factors = np.concatenate([arrays["factors_train"], arrays["factors_test"]])
    scores = explicitness(codes, factors, RNG(0), test=np.arange(15_000) >= 10_000)
    reference = expected["modularity_explicitness"]
    # Two fits that stop at a gradient of 1e-4 rank a few rows in another order.
    assert scores["explicitness"] == pytest.approx(reference["explicitness_score_test"], abs=5e-4)
    assert scores["explicitness_train"] == pytest.approx(reference["explicitness_score_train"], abs=5e-4)

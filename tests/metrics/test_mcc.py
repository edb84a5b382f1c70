"""The mean correlation coefficient against closed forms and scipy's correlations over all assignments."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from metrics.cases import CASES
from metrics.disentanglement.mcc import mcc
from tests.metrics.harness import world


def tried(strength: np.ndarray) -> Any:
    return max(
        np.mean([strength[j, k] for k, j in enumerate(codes)])
        for codes in itertools.permutations(range(len(strength)), strength.shape[1])
    )


UNDEFINED = {"constant": "scipy has no correlation of constant codes; here it is 0, see below"}


@pytest.mark.parametrize("case", [case for case in CASES if case not in UNDEFINED])
def test_equals_the_best_of_all_assignments(case: str) -> None:
    arrays = world(case)
    z, v = arrays["codes"], arrays["factors"]
    scores = mcc(z, v)
    assert scores["mcc"] == pytest.approx(tried(np.abs(np.corrcoef(z.T, v.T)[:6, 6:])), abs=1e-12)
    assert scores["mcc_spearman"] == pytest.approx(
        tried(np.abs(spearmanr(np.concatenate([z, v], axis=1)).statistic[:6, 6:])), abs=1e-12
    )


def test_order_sign_scale_and_monotonic_distortion() -> None:
    v = np.random.default_rng(0).normal(size=(500, 3))
    assert mcc(v[:, [2, 0, 1]] * [-1, 1e-3, 50] + 7, v) == pytest.approx(
        dict.fromkeys(("mcc", "mcc_spearman", "mcc_0", "mcc_1", "mcc_2"), 1), abs=1e-12
    )
    bent = mcc(np.exp(3 * v), v)
    assert bent["mcc_spearman"] == pytest.approx(1, abs=1e-12)
    assert bent["mcc"] < 0.6


def test_a_code_is_used_once() -> None:
    # z = a + b correlates with each by 1/√2 where a and b are uncorrelated; the second code has nothing.
    a, b = np.array([[-1, -1, 1, 1], [-1, 1, -1, 1]]) * 1.0
    z = np.stack([a + b, a * b], axis=1)
    assert mcc(z, np.stack([a, b], axis=1))["mcc"] == pytest.approx(0.5 / np.sqrt(2), abs=1e-12)
    # Fewer codes than factors: the one left over counts as 0.
    alone = mcc(a[:, None], np.stack([a, b], axis=1))
    assert alone == pytest.approx({"mcc": 0.5, "mcc_spearman": 0.5, "mcc_0": 1, "mcc_1": 0}, abs=1e-12)


def test_constant_codes_and_factors() -> None:
    v = np.stack([np.arange(10.0), np.full(10, 3.5)], axis=1)
    assert {*mcc(np.ones((10, 2)), v).values()} == {0.0}
    trembling = np.float32(1) + np.float32(2**-23) * (v[:, :1].astype(np.float32) % 2)
    assert mcc(trembling, v)["mcc_spearman"] == 0
    assert {*mcc(v, v)} == {"mcc", "mcc_spearman", "mcc_0"}
    with pytest.raises(ValueError, match="all 1 are constant"):
        mcc(v, v[:, 1:])


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_factors_must_be_finite(bad: float) -> None:
    v = np.arange(10.0)[:, None]
    with pytest.raises(ValueError, match="factors: expected finite numbers"):
        mcc(v, np.where(v == 3, bad, v))

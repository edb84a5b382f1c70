"""EDI: closed forms if information is all or nothing, and a transcription of the authors' formulas."""

from __future__ import annotations

from math import log, sqrt
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from metrics.disentanglement.edi import edi
from metrics.information import binned
from tests.metrics.test_information_gaps import GRID, MERGED, TWICE

# Pseudo-counts reduce the information of 40 images of a value and bin by up to 1 part in 50. R changes by
# less, since both sides of its ratio do.
NEAR = 0.02


def scores(codes: Any, factors: Any = GRID, copies: int = 300, **settings: Any) -> tuple[float, float, float]:
    """Modularity, compactness, explicitness, of copies of a table of images that is all known."""
    found = edi(
        np.tile(codes, (copies, 1)), np.tile(factors, (copies, 1)), np.random.default_rng(0), **settings
    )
    assert list(found) == ["edi_modularity", "edi_compactness", "edi_explicitness"]
    return found["edi_modularity"], found["edi_compactness"], found["edi_explicitness"]


def test_one_code_per_factor() -> None:
    assert scores(GRID * [1.0, -2.0, 0.5]) == pytest.approx((1, 1, 1), abs=NEAR)


def test_duplicates_are_modular_but_not_compact() -> None:
    # Two of six codes have R = 1: compactness 1 − sqrt(1/5); their exclusivities add up to 2, of which 1
    # counts.
    assert scores(TWICE) == pytest.approx((1, 1 - sqrt(1 / 5), 1), abs=NEAR)


def test_a_code_that_knows_two_factors_is_compact_but_not_modular() -> None:
    # R = [1, 1, 0] and [0, 0, 1]: exclusivities 1 − sqrt(1/2) and 1, of three factors.
    assert scores(MERGED) == pytest.approx(((2 - sqrt(1 / 2)) / 3, 1, 1), abs=NEAR)


def test_a_factor_that_no_code_knows_counts_as_zero() -> None:
    assert scores(GRID[:, :2]) == pytest.approx((2 / 3, 2 / 3, 2 / 3), abs=NEAR)


def test_what_is_constant_or_chance_is_exactly_nothing() -> None:
    assert scores(GRID * 0) == (0, 0, 0)
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(size=(3000, 6))
        assert set(edi(noise, np.tile(GRID, (125, 1)), np.random.default_rng(seed)).values()) == {0}


def test_one_code_and_one_factor_have_no_others() -> None:
    assert scores(GRID[:, :1], GRID[:, :1]) == pytest.approx((1, 1, 1), abs=NEAR)


def test_explicitness_sees_all_codes_together() -> None:
    # Two codes that are needed both: the sum and the difference of two bits plus a third of little weight.
    rng = np.random.default_rng(2)
    shift = rng.normal(size=(24 * 300, 1)) * 5
    v = np.tile(GRID[:, :1], (300, 1))
    codes = np.concatenate([v + shift, shift], axis=1)  # neither code says much alone
    found = edi(codes, v, np.random.default_rng(0))
    assert found["edi_explicitness"] > 0.95
    alone = edi(codes[:, :1], v, np.random.default_rng(0))
    assert alone["edi_explicitness"] < 0.1


def test_information_of_a_bit_in_noise() -> None:
    # The bit in 3 of 4 images: I = ln 2 − H(1/4) = 0.1308 nats of 0.6931; 20,000 test rows, standard error
    # 0.004 nats.
    rng = np.random.default_rng(3)
    bit = rng.integers(2, size=60_000)
    code = np.where(rng.random(60_000) < 0.25, 1 - bit, bit)
    found = edi(code[:, None], bit[:, None], rng, train_rows=40_000, test_rows=20_000)
    assert found["edi_explicitness"] == pytest.approx(0.1887, abs=0.02)


def test_is_the_authors_formula() -> None:
    rng = np.random.default_rng(4)
    v = np.stack([rng.integers(s, size=1500) for s in (2, 4, 5)], axis=1)
    z = v @ rng.normal(size=(3, 4)) + 0.5 * rng.normal(size=(1500, 4))
    test = np.arange(1500) % 3 == 0
    b = binned(z, 20)
    known, together, entropy = np.zeros((4, 3)), np.zeros(3), np.zeros(3)
    standard = (z - z[~test].mean(axis=0)) / z[~test].std(axis=0)
    for k in range(3):
        size = v[:, k].max() + 1
        q = np.array([(np.sum(v[~test, k] == value) + 1) / (1000 + size) for value in range(size)])
        entropy[k] = -np.mean([log(q[value]) for value in v[test, k]])
        for j in range(4):
            gains = []
            for n in np.flatnonzero(test):
                same = b[j][~test] == b[j][n]
                both = np.sum(same & (v[~test, k] == v[n, k]))
                gains.append(log((both + q[v[n, k]]) / (same.sum() + 1) / q[v[n, k]]))
            known[j, k] = np.mean(gains) if np.mean(gains) > 3 * np.std(gains) / sqrt(500) else 0
        model = LogisticRegression(C=100, tol=1e-6, max_iter=10_000).fit(standard[~test], v[~test, k])
        p = model.predict_proba(standard[test])[np.arange(500), v[test, k]]
        prior = q[v[test, k]]
        together[k] = max(known[:, k].max(), np.mean(np.log((0.999 * p + 0.001 * prior) / prior)))
    share = known / together

    def exclusive(numbers: Any) -> float:
        ordered = sorted(numbers)
        return float(ordered[-1] - sqrt(sum(x**2 for x in ordered[:-1]) / (len(ordered) - 1)))

    owned = [0.0, 0.0, 0.0]
    for j in range(4):
        owned[int(share[j].argmax())] += exclusive(share[j])
    found = edi(z, v, rng, test=test)
    # Ours stops where no component of the gradient exceeds 1e-4, a little before the optimum.
    assert found["edi_modularity"] == pytest.approx(sum(min(1, x) for x in owned) / 3, abs=5e-4)
    assert found["edi_compactness"] == pytest.approx(
        sum(exclusive(share[:, k]) for k in range(3)) / 3, abs=5e-4
    )
    assert found["edi_explicitness"] == pytest.approx(np.mean(together / entropy), abs=5e-4)


def test_a_value_that_training_never_saw_costs_but_is_no_error() -> None:
    v = np.tile(np.arange(4), 100)[:, None]
    test = (v[:, 0] == 3) | (np.arange(400) % 5 == 0)
    found = edi(v, v, np.random.default_rng(0), test=test)
    assert 0 <= found["edi_explicitness"] < 1


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="bins: expected an integer ≥ 2, got 1"):
        scores(GRID, bins=1)
    with pytest.raises(ValueError, match="train_rows: expected an integer ≥ 1"):
        scores(GRID, train_rows=0)

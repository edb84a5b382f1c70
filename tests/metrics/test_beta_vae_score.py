"""The β-VAE score against known answers, the original procedure and the established implementation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from metrics import interventions
from metrics.disentanglement.beta_vae_score import beta_vae_score
from tests.metrics.harness import NO_INTERVENTIONS, REFERENCE

SIZES = (3, 4, 5, 6)
GRID = np.stack(np.meshgrid(*map(np.arange, SIZES), indexing="ij"), axis=-1).reshape(-1, len(SIZES))


def score(codes: np.ndarray, factors: np.ndarray, seed: int = 0, **settings: int) -> dict[str, float]:
    return beta_vae_score(codes, factors, np.random.default_rng(seed), **settings)


def test_perfect_codes_tell_every_factor() -> None:
    assert score(GRID.astype(float), GRID) == {"beta_vae_score": 1, "beta_vae_score_train": 1}


def test_noise_and_constant_codes_guess() -> None:
    noise = np.random.default_rng(1).normal(size=(len(GRID), 5))
    # 5,000 points of chance 1/4: standard error 0.006. A table of 360 noisy rows is a fixed one, and leaks a
    # little.
    assert score(np.tile(noise, (20, 1))[np.random.default_rng(2).permutation(7200)], np.tile(GRID, (20, 1)))[
        "beta_vae_score"
    ] == pytest.approx(0.25, abs=0.03)
    assert score(np.full((len(GRID), 5), 0.3), GRID)["beta_vae_score"] == pytest.approx(0.25, abs=0.03)


def test_a_factor_that_no_code_carries_is_guessed_among_the_lost() -> None:
    # Factors 2 and 3 are not in the codes: both look alike, so half of those points are right; 3/4 in all.
    assert score(GRID[:, :2].astype(float), GRID)["beta_vae_score"] == pytest.approx(0.75, abs=0.03)


def test_pairs_share_the_fixed_factor_and_nothing_else() -> None:
    rng = np.random.default_rng(3)
    factors = GRID[rng.integers(len(GRID), size=2000)]  # not a grid: some rows missing, some many times
    for k, column in enumerate(factors.T):
        rows = rng.integers(len(factors), size=(500, 64))
        partners = interventions.Rows(column).partners(rows, rng)
        np.testing.assert_array_equal(column[rows], column[partners])
        for other in set(range(len(SIZES))) - {k}:
            agree = np.mean(factors[rows, other] == factors[partners, other])
            # 32,000 independent pairs agree by chance: standard error < 0.003; the table's own imbalance adds
            # some
            assert agree == pytest.approx(1 / SIZES[other], abs=0.02)


def test_partners_are_uniform_among_the_rows_with_the_value() -> None:
    column = np.array([4, 9, 4, 4, 9, 4])
    partners = interventions.Rows(column).partners(np.zeros((100, 400), dtype=int), np.random.default_rng(4))
    shares = np.bincount(partners.ravel(), minlength=6) / partners.size
    # 40,000 draws: standard error 0.0022
    np.testing.assert_allclose(shares, [0.25, 0, 0.25, 0.25, 0, 0.25], atol=0.011)


def test_agrees_with_the_procedure_draw_by_draw() -> None:
    """On a full grid, picking rows of the table equals drawing factors and encoding them, as in the paper."""
    rng = np.random.default_rng(5)
    codes = np.stack([GRID[:, 0] + 0.5 * GRID[:, 1], GRID[:, 1], 0.2 * GRID[:, 2], 0.1 * GRID[:, 3]], axis=1)
    codes += 0.8 * rng.normal(size=codes.shape)
    table = codes.reshape(*SIZES, -1)

    def draw(points: int) -> tuple[np.ndarray, np.ndarray]:
        features, answers = np.empty((points, 4)), rng.integers(4, size=points)
        for point, k in enumerate(answers):
            first = rng.integers(SIZES, size=(8, 4))
            second = rng.integers(SIZES, size=(8, 4))
            second[:, k] = first[:, k]
            features[point] = np.abs(table[tuple(first.T)] - table[tuple(second.T)]).mean(axis=0)
        return features, answers

    model = LogisticRegression().fit(*draw(4000))
    expected = model.score(*draw(4000))
    assert 0.4 < expected < 0.9  # neither chance nor perfect
    # Two scores on 4,000 points each, standard error 0.008 each
    found = score(codes, GRID, pairs=8, train_points=4000, evaluation_points=4000)
    assert found["beta_vae_score"] == pytest.approx(expected, abs=0.03)


def test_constant_factors_are_never_fixed() -> None:
    assert score(GRID.astype(float), GRID * [1, 0, 1, 0])["beta_vae_score"] == 1
    with pytest.raises(ValueError, match=r"at least 2 that vary, got 1 of 4.*leave this metric out"):
        score(GRID.astype(float), GRID * [1, 0, 0, 0])


def test_a_factor_without_repeated_values_is_refused() -> None:
    factors = np.concatenate([GRID, np.arange(len(GRID))[:, None]], axis=1)
    with pytest.raises(ValueError, match="1 of 5 have another value in every one of the 360 rows"):
        score(GRID.astype(float), factors)


@pytest.mark.parametrize("setting", ["pairs", "train_points", "evaluation_points"])
def test_settings_are_checked(setting: str) -> None:
    with pytest.raises(ValueError, match=f"{setting}: expected an integer ≥ 1, got 0"):
        score(GRID.astype(float), GRID, **{setting: 0})


def test_the_score_is_that_of_fresh_points() -> None:
    noise = np.random.default_rng(6).normal(size=(len(GRID), 60))
    found = score(noise * 10, GRID, pairs=1, train_points=40)  # more codes than points: learnt by heart
    assert found["beta_vae_score_train"] == 1
    assert found["beta_vae_score"] == pytest.approx(0.25, abs=0.05)


def test_a_single_training_point_always_gives_its_answer() -> None:
    found = score(GRID.astype(float), GRID, train_points=1, evaluation_points=4000)
    assert found["beta_vae_score_train"] == 1
    assert found["beta_vae_score"] == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("case", [case for case in REFERENCE if case not in NO_INTERVENTIONS])
def test_equals_the_established_implementation(shared: Path, case: str) -> None:
    # Where two codes tie, which of the tied factors the classifier prefers is a matter of sampling.
    tolerance = {"collapsed": 0.03}.get(case, 0.01)
    folder = shared / "reference" / "metrics"
    arrays = np.load(folder / f"{case}.npz")
    expected = json.loads((folder / f"{case}.json").read_text())["scores"]["beta_vae"]
    codes = np.concatenate([arrays["codes_train"], arrays["codes_test"]])
    factors = np.concatenate([arrays["factors_train"], arrays["factors_test"]])
    found = score(codes, factors)
    assert found["beta_vae_score"] == pytest.approx(expected["eval_accuracy"], abs=tolerance)
    assert found["beta_vae_score_train"] == pytest.approx(expected["train_accuracy"], abs=tolerance)

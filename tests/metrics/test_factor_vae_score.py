"""The FactorVAE score against known answers, the original procedure and the established implementation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from metrics.disentanglement.factor_vae_score import factor_vae_score
from tests.metrics.harness import NO_INTERVENTIONS, REFERENCE

SIZES = (3, 4, 5, 6)
GRID = np.stack(np.meshgrid(*map(np.arange, SIZES), indexing="ij"), axis=-1).reshape(-1, len(SIZES))


def score(codes: np.ndarray, factors: np.ndarray, seed: int = 0, **settings: float) -> dict[str, float]:
    return factor_vae_score(codes, factors, np.random.default_rng(seed), **settings)  # type: ignore[arg-type]


def test_perfect_codes_tell_every_factor() -> None:
    assert score(GRID.astype(float), GRID) == {"factor_vae_score": 1, "factor_vae_score_train": 1}


def test_noise_guesses() -> None:
    noise = np.random.default_rng(1).normal(size=(7200, 5))
    # 5,000 votes of chance 1/4: standard error 0.006; the majorities are those of the training votes and add
    # a little
    assert score(noise, np.tile(GRID, (20, 1)))["factor_vae_score"] == pytest.approx(0.25, abs=0.03)


def test_two_factors_in_one_code_are_told_apart_half_the_time() -> None:
    # Code 2 is constant in batches of factor 2 alone; code 0 varies least for factors 0 and 1, which look
    # alike.
    codes = np.stack([GRID[:, 0] + 3 * GRID[:, 1], GRID[:, 2], GRID[:, 3]], axis=1).astype(float)
    # three in four, ± the standard error of 5,000 votes, 0.006
    assert score(codes, GRID)["factor_vae_score"] == pytest.approx(0.75, abs=0.025)


def test_when_every_code_is_dropped_the_score_is_zero() -> None:
    assert score(np.full(GRID.shape, 0.3), GRID)["factor_vae_score"] == 0
    quiet = GRID * (0.04 / GRID.std(axis=0, ddof=1))  # all standard deviations are 0.04
    assert score(quiet, GRID) == {"factor_vae_score": 0, "factor_vae_score_train": 0}
    assert score(quiet, GRID, threshold=0.03)["factor_vae_score"] == 1
    assert score(np.full(GRID.shape, 0.3), GRID, threshold=0)["factor_vae_score"] == 0  # constants always go


def test_a_dropped_code_casts_no_vote() -> None:
    # A tiny code that stands still for every factor but the first would take all votes of the others.
    codes = np.concatenate([GRID.astype(float), (GRID[:, :1] == 0) * 1e-3], axis=1)
    assert score(codes, GRID)["factor_vae_score"] == 1


def test_values_that_one_row_has_are_not_drawn() -> None:
    # A batch of one image would leave every vote about the first factor to the first code, which is the
    # second's.
    factors = np.concatenate([GRID, GRID[:1] + np.array([100, 0, 0, 0])])
    codes = np.concatenate([GRID[:, [1, 0, 2, 3]], GRID[:1]]).astype(float)
    for seed in range(3):
        assert score(codes, factors, seed)["factor_vae_score"] == 1


def test_agrees_with_the_procedure_draw_by_draw() -> None:
    """On a full grid, picking rows of the table equals drawing factors and encoding them, as in the paper."""
    rng = np.random.default_rng(5)
    codes = np.stack([GRID[:, 0] + 0.5 * GRID[:, 1], GRID[:, 1], 0.2 * GRID[:, 2], 0.1 * GRID[:, 3]], axis=1)
    codes += 0.8 * rng.normal(size=codes.shape)
    table = codes.reshape(*SIZES, -1)
    spread = codes.var(axis=0, ddof=1)

    def votes(points: int) -> np.ndarray:
        counts = np.zeros((4, 4), dtype=int)
        for _ in range(points):
            k = rng.integers(4)
            drawn = rng.integers(SIZES, size=(8, 4))
            drawn[:, k] = drawn[0, k]
            batch = table[tuple(drawn.T)]
            counts[k, np.argmin(batch.var(axis=0, ddof=1) / spread)] += 1
        return counts

    train, fresh = votes(4000), votes(4000)
    expected = fresh[train.argmax(axis=0), np.arange(4)].sum() / 4000
    assert 0.4 < expected < 0.9  # neither chance nor perfect
    # Two scores on 4,000 points each, standard error 0.008 each
    found = score(codes, GRID, batch=8, train_points=4000, evaluation_points=4000)
    assert found["factor_vae_score"] == pytest.approx(expected, abs=0.03)


def test_an_offset_costs_no_digits() -> None:
    plain = score(0.1 * GRID, GRID)["factor_vae_score"]
    assert score(0.1 * GRID + 1e6, GRID)["factor_vae_score"] == plain == 1


def test_variances_are_of_so_many_rows_of_a_large_table() -> None:
    factors = np.tile(GRID, (20, 1))
    codes = factors + 0.1 * np.random.default_rng(7).normal(size=factors.shape)
    assert score(codes, factors, variance_rows=500)["factor_vae_score"] == pytest.approx(1, abs=0.001)


def test_constant_factors_are_never_fixed() -> None:
    assert score(GRID.astype(float), GRID * [1, 0, 1, 0])["factor_vae_score"] == 1
    with pytest.raises(ValueError, match=r"at least 2 that vary, got 1 of 4.*leave this metric out"):
        score(GRID.astype(float), GRID * [1, 0, 0, 0])


@pytest.mark.parametrize(
    ("setting", "least"),
    [("batch", 2), ("train_points", 1), ("evaluation_points", 1), ("variance_rows", 2)],
)
def test_settings_are_checked(setting: str, least: int) -> None:
    with pytest.raises(ValueError, match=f"{setting}: expected an integer ≥ {least}, got 0"):
        score(GRID.astype(float), GRID, **{setting: 0})


@pytest.mark.parametrize("threshold", [-0.1, np.nan, np.inf])
def test_the_threshold_is_checked(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold: expected a standard deviation ≥ 0"):
        score(GRID.astype(float), GRID, threshold=threshold)


@pytest.mark.parametrize("case", [case for case in REFERENCE if case not in NO_INTERVENTIONS])
def test_equals_the_established_implementation(shared: Path, case: str) -> None:
    # Where two codes tie, which factor has the majority of their votes is a matter of sampling.
    tolerance = {"collapsed": 0.03}.get(case, 0.01)
    folder = shared / "reference" / "metrics"
    arrays = np.load(folder / f"{case}.npz")
    expected = json.loads((folder / f"{case}.json").read_text())["scores"]["factor_vae"]
    codes = np.concatenate([arrays["codes_train"], arrays["codes_test"]])
    factors = np.concatenate([arrays["factors_train"], arrays["factors_test"]])
    found = score(codes, factors)
    assert found["factor_vae_score"] == pytest.approx(expected["eval_accuracy"], abs=tolerance)
    assert found["factor_vae_score_train"] == pytest.approx(expected["train_accuracy"], abs=tolerance)

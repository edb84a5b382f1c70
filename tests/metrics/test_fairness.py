"""Unfairness against hand-computed values, interventions row by row, and the established procedure."""

from __future__ import annotations

import numpy as np
import pytest

from metrics.arrays import value_index
from metrics.disentanglement.fairness import _intervened, _others, fairness

SIZES = (3, 4, 5)
GRID = np.stack(np.meshgrid(*map(np.arange, SIZES), indexing="ij"), axis=-1).reshape(-1, len(SIZES))
BITS = np.tile([[0, 0], [0, 1], [1, 0], [1, 1]], (50, 1))
HALF = np.arange(len(BITS)) % 8 >= 4  # every pair of bits as often on either side
ZERO = pytest.approx(0, abs=1e-12)


def score(codes: np.ndarray, factors: np.ndarray, seed: int = 0, **settings: object) -> dict[str, float]:
    return fairness(codes, factors, np.random.default_rng(seed), **settings)  # type: ignore[arg-type]


def test_right_predictions_are_fair() -> None:
    found = score(np.tile(GRID, (6, 1)).astype(float), np.tile(GRID, (6, 1)))
    pairs = {f"fairness_{i}_{j}" for i in range(3) for j in range(3) if i != j}
    assert found == dict.fromkeys({"fairness", "fairness_max"} | pairs, ZERO)


def test_right_predictions_are_fair_on_a_table_that_is_no_grid_too() -> None:
    # Far fewer rows than combinations: nothing to match but the target, whose frequencies differ between
    # groups.
    factors = np.random.default_rng(0).integers((3, 4, 12, 15), size=(300, 4))
    factors[:, 1] = np.where(factors[:, 0] == 0, 0, factors[:, 1])
    codes = np.concatenate([factors[:, :2], np.zeros((300, 2))], axis=1)
    found = score(codes, factors)
    assert [found[f"fairness_{pair}"] for pair in ("0_1", "1_0", "0_2")] == [ZERO] * 3
    assert found["fairness_max"] > 0.1  # the others are guessed


def test_a_code_of_two_bits_is_unfair_by_a_quarter() -> None:
    # z = y + s: 0 and 2 are predicted correctly, and 1 always gets the same answer a. So p(ŷ = 1 | s) is a/2
    # and (a + 1)/2, a quarter off their mean on either side.
    found = score(BITS.sum(axis=1, keepdims=True).astype(float), BITS, test=HALF)
    assert found == pytest.approx(
        {"fairness": 0.25, "fairness_max": 0.25, "fairness_0_1": 0.25, "fairness_1_0": 0.25}, abs=1e-12
    )


def test_constant_codes_are_fair() -> None:
    assert score(np.full(BITS.shape, 0.3), BITS)["fairness"] == ZERO


def test_an_intervention_is_that_of_picking_rows_that_agree_in_the_other_factors() -> None:
    rng = np.random.default_rng(1)
    # Full grid, each row one to four times, and a prediction that depends on all factors and on chance.
    v = np.repeat(GRID, rng.integers(1, 5, size=len(GRID)), axis=0)
    predicted = (v @ [1, 2, 3] + rng.integers(3, size=len(v))) % 4
    values = {k: value_index(column) for k, column in enumerate(v.T)}
    for j in range(3):
        rest = np.delete(v, j, axis=1)
        expected = np.zeros((SIZES[j], 4))
        for s in range(SIZES[j]):
            for row in rest:  # this row, with factor j set to s
                picked = predicted[(rest == row).all(axis=1) & (v[:, j] == s)]
                expected[s] += np.bincount(picked, minlength=4) / len(picked) / len(v)
        others = _others(values, j)
        assert others is not None
        np.testing.assert_allclose(_intervened(predicted, values[j], others), expected, atol=1e-12)
        # without a single combination it is no full grid
        gone = (v == GRID[7]).all(axis=1)
        assert _others({k: value_index(column) for k, column in enumerate(v[~gone].T)}, j) is None


def test_agrees_with_the_procedure_draw_by_draw() -> None:
    rng = np.random.default_rng(2)
    v = np.tile(GRID, (40, 1))
    predicted = (v @ [1, 2, 3] * rng.integers(2, size=len(v))) % 3
    values = {k: value_index(column) for k, column in enumerate(v.T)}
    others = _others(values, 1)
    assert others is not None
    p = _intervened(predicted, values[1], others)
    table = predicted.reshape(40, *SIZES)
    drawn = rng.integers(SIZES, size=(40_000, 3))
    for s in range(SIZES[1]):
        moved = table[rng.integers(40, size=len(drawn)), drawn[:, 0], s, drawn[:, 2]]
        # 40,000 draws: standard error ≤ 0.0025
        np.testing.assert_allclose(p[s], np.bincount(moved, minlength=3) / len(drawn), atol=0.012)


def test_what_no_row_shows_counts_as_no_difference() -> None:
    # Target 0 has both values of s, target 1 only s = 0.
    y, s = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 0, 0])
    predicted = np.array([0, 0, 1, 1, 0, 1])
    p = _intervened(predicted, (s, 2), y)
    # s = 0: target 0 (4/6) gets 0, target 1 (2/6) either. s = 1: target 0 gets 1, target 1 is unseen: either,
    # as overall.
    np.testing.assert_allclose(p, [[5 / 6, 1 / 6], [1 / 6, 5 / 6]], atol=1e-12)


def test_rows_held_out_are_those_that_count() -> None:
    codes = BITS.sum(axis=1, keepdims=True).astype(float)
    codes[HALF] = 2 * BITS[HALF, :1]  # there it is the first bit alone
    found = score(codes, BITS, test=HALF)
    assert found["fairness_0_1"] == ZERO
    assert found["fairness_1_0"] == pytest.approx(0.5, abs=1e-12)  # p(ŷ) is 1 or 0, half of that off its mean


def test_a_target_with_one_value_in_training_is_always_answered() -> None:
    test = HALF | (BITS[:, 0] == 1)
    found = score(BITS.astype(float), BITS, test=test)
    assert found == dict.fromkeys(found, ZERO)


def test_nothing_to_change_is_refused() -> None:
    test = (BITS == 1).all(axis=1)
    with pytest.raises(ValueError, match="no factor has two values among the 50 rows held out"):
        score(BITS.astype(float), BITS, test=test)
    with pytest.raises(ValueError, match="at least 2 that vary, got 1 of 2"):
        score(BITS.astype(float), BITS * [1, 0])


@pytest.mark.parametrize(("factors", "listed"), [(5, 20), (6, 0)])
def test_many_pairs_are_not_listed(factors: int, listed: int) -> None:
    v = np.random.default_rng(3).integers(2, size=(30, factors))
    assert len(score(np.zeros((30, 1)), v)) == 2 + listed


@pytest.mark.parametrize("setting", ["train_rows", "test_rows"])
def test_settings_are_checked(setting: str) -> None:
    with pytest.raises(ValueError, match=f"{setting}: expected an integer ≥ 1, got 0"):
        score(BITS.astype(float), BITS, **{setting: 0})

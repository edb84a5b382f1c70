"""Strong generalisation against hand-computed values, and what is seen and what is withheld."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from metrics.disentanglement import strong_generalisation as module
from metrics.disentanglement.strong_generalisation import strong_generalisation

SIZES = (3, 4)
GRID = np.stack(np.meshgrid(*map(np.arange, SIZES), indexing="ij"), axis=-1).reshape(-1, len(SIZES))
FACTORS = np.tile(GRID, (20, 1))
TEST = np.arange(len(FACTORS)) < 5 * len(GRID)  # whole grids on either side


def score(codes: np.ndarray, seed: int = 0, **settings: Any) -> dict[str, float]:
    settings = {"test": TEST, "factors": FACTORS} | settings
    factors = settings.pop("factors")
    return strong_generalisation(codes, factors, np.random.default_rng(seed), **settings)


def test_one_code_per_factor_generalises() -> None:
    assert score(FACTORS.astype(float)) == {"strong_generalisation": 1, "strong_generalisation_seen": 1}


@pytest.mark.parametrize("seed", range(3))
def test_a_code_that_another_factor_shifts_away_does_not(seed: int) -> None:
    # z = y + 10 s. Trained with s = c, the trees answer the last y for any s > c and the first for any s < c:
    # right in one of three. The other way round, a shift of at most 2 leaves steps of 10 where they are:
    # always right.
    codes = (FACTORS @ [1.0, 10.0])[:, None]
    assert score(codes, seed) == pytest.approx(
        {"strong_generalisation": (1 / 3 + 1) / 2, "strong_generalisation_seen": 1}, abs=1e-12
    )


def test_nothing_known_is_guessed() -> None:
    found = score(np.zeros(FACTORS.shape))
    assert found == pytest.approx(
        {
            "strong_generalisation": (1 / 3 + 1 / 4) / 2,
            "strong_generalisation_seen": (1 / 3 + 1 / 4) / 2,
        },
        abs=1e-12,
    )


@pytest.mark.parametrize("seen_values", [1, 2, 100])
def test_training_has_the_seen_values_and_all_others_are_withheld(
    monkeypatch: pytest.MonkeyPatch, seen_values: int
) -> None:
    fits: list[dict[str, Any]] = []

    def fit(x: np.ndarray, y: np.ndarray, **_: int) -> SimpleNamespace:
        fits.append({"x": x, "y": y, "queries": []})
        queries = fits[-1]["queries"]
        return SimpleNamespace(predict=lambda x: queries.append(x) or np.zeros(len(x), dtype=int))

    monkeypatch.setattr(module, "boosting", SimpleNamespace(fit=fit))
    codes = np.concatenate([FACTORS, np.arange(len(FACTORS))[:, None]], axis=1).astype(float)
    score(codes, seen_values=seen_values)
    assert len(fits) == 2  # each factor, and the one other to withhold values of
    for i, (j, one) in enumerate([(1, fits[0]), (0, fits[1])]):
        outside, inside = one["queries"]
        seen = set(one["x"][:, j])
        assert len(seen) == min(seen_values, SIZES[j] - 1)
        assert set(inside[:, j]) == seen
        assert set(outside[:, j]) == set(range(SIZES[j])) - seen
        np.testing.assert_array_equal(one["y"], one["x"][:, i])
        assert not TEST[one["x"][:, 2].astype(int)].any()
        assert TEST[np.concatenate([inside, outside])[:, 2].astype(int)].all()
        assert len(inside) + len(outside) == TEST.sum()


def test_rows_of_a_large_table_all_may_train(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def fit(x: np.ndarray, y: np.ndarray, **_: int) -> SimpleNamespace:
        sizes.append(len(x))
        return SimpleNamespace(predict=lambda x: np.zeros(len(x), dtype=int))

    monkeypatch.setattr(module, "boosting", SimpleNamespace(fit=fit))
    score(FACTORS.astype(float), test=None, train_rows=200, test_rows=60)
    # 180 of 240 rows, of which a fourth and a third have a value: none too many
    assert sum(sizes) == pytest.approx(180 / 4 + 180 / 3, abs=15)
    sizes.clear()
    score(FACTORS.astype(float), test=None, train_rows=20, test_rows=60)
    assert sizes == [20, 20]


def test_values_that_training_lacks_are_wrong() -> None:
    # The last y never occurs among the training rows.
    test = TEST | (FACTORS[:, 0] == 2)
    found = score(FACTORS.astype(float), test=test)
    right = np.mean(FACTORS[test, 0] < 2)  # of target 0; all s are as frequent. Target 1 is always right.
    assert found["strong_generalisation"] == pytest.approx((right + 1) / 2, abs=1e-12)


def test_pairs_without_rows_on_both_sides_are_left_out() -> None:
    # Only s = 0 is held out, so nothing is withheld where s = 0 is seen, and nothing seen otherwise: target 1
    # remains.
    assert score(FACTORS.astype(float), test=FACTORS[:, 1] == 0)["strong_generalisation"] == 0  # s = 0 is new
    with pytest.raises(ValueError, match="none has a value that training rows have"):
        score(FACTORS.astype(float), test=(FACTORS == 0).all(axis=1))


def test_a_constant_factor_is_left_out() -> None:
    codes = FACTORS.astype(float)
    three = np.insert(FACTORS, 1, 7, axis=1)
    assert score(codes, factors=three) == score(codes)
    with pytest.raises(ValueError, match="at least 2 that vary, got 1 of 2"):
        score(codes, factors=FACTORS * [1, 0])


@pytest.mark.parametrize("setting", ["train_rows", "test_rows", "seen_values"])
def test_settings_are_checked(setting: str) -> None:
    with pytest.raises(ValueError, match=f"{setting}: expected an integer ≥ 1, got 0"):
        score(FACTORS.astype(float), **{setting: 0})

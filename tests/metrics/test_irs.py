"""IRS against hand-computed values, a transcription of its formula, and the established implementation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from metrics.disentanglement.irs import irs
from tests.metrics.harness import REFERENCE

BINS = 20  # the protocol of the established implementation
GRID = np.stack(np.meshgrid(np.arange(2), np.arange(3), np.arange(4), indexing="ij"), axis=-1).reshape(-1, 3)


def transcribed(z: np.ndarray, v: np.ndarray, quantile: float) -> float:
    """Code by code, factor by factor, value by value."""
    scores, weights = [], []
    for code in z.T:
        largest = np.abs(code - code.mean()).max()
        robust = []
        for factor in v.T:
            moved = [
                np.percentile(np.abs(code[factor == s] - code[factor == s].mean()), 100 * quantile)
                for s in np.unique(factor)
            ]
            robust.append(1 - np.mean(moved) / largest)
        scores.append(max(robust))
        weights.append(largest)
    return float(np.average(scores, weights=weights))


def test_one_code_per_factor_is_one() -> None:
    scores = irs(GRID * [1.0, -2.0, 0.5], GRID)
    assert scores == pytest.approx({"irs": 1, "irs_0": 1, "irs_1": 1, "irs_2": 1}, abs=1e-12)
    # several codes may answer to one factor, and a factor may have none
    assert irs(GRID[:, [0, 0, 1]], GRID)["irs"] == pytest.approx(1, abs=1e-12)


def test_two_factors_in_one_code_by_hand() -> None:
    # z = a + 2b with bits a, b: mean 1.5, largest deviation 1.5. Given b it is off by 1/2, given a by 1.
    bits = np.stack(np.meshgrid([0, 1], [0, 1], indexing="ij"), axis=-1).reshape(-1, 2)
    z = bits @ [[1.0], [2.0]]
    assert irs(z, bits)["irs"] == pytest.approx(1 - 0.5 / 1.5, abs=1e-12)
    # A second code that is a alone counts by its largest deviation, 1/2 against 3/2.
    both = np.concatenate([z, bits[:, :1]], axis=1)
    assert irs(both, bits)["irs"] == pytest.approx((1.5 * 2 / 3 + 0.5 * 1) / 2, abs=1e-12)


def test_the_quantile_leaves_out_rare_deviations() -> None:
    # 200 rows of each value, one of which is off: beyond the 99th percentile, but not beyond the maximum.
    v = np.repeat([0, 1], 200)[:, None]
    z = v.astype(float)
    z[[0, 200]] += [[0.5], [0.5]]
    assert irs(z, v)["irs"] > 0.99
    mean = 0.5 / 200  # of the offsets, in either group
    assert irs(z, v, quantile=1)["irs"] == pytest.approx(1 - (0.5 - mean) / (1.5 - 0.5 - mean), abs=1e-12)


@pytest.mark.parametrize("quantile", [0.99, 1, 0.5, 0])
@pytest.mark.parametrize("values", [(2, 3, 7), (3, 40, 400)])  # a partition of the distances, and a sort
def test_equals_a_literal_transcription(quantile: float, values: tuple[int, ...]) -> None:
    rng = np.random.default_rng(2)
    v = rng.integers(values, size=(700, 3))  # some values once or twice, on no grid
    z = v @ rng.normal(size=(3, 5)) + rng.exponential(size=(700, 5)) * [1, 100, 1e-3, 5, 1]
    assert irs(z + 1e3, v, quantile=quantile)["irs"] == pytest.approx(
        np.clip(transcribed(z, v, quantile), 0, 1), abs=1e-9
    )


def test_noise_is_not_zero() -> None:
    z = np.random.default_rng(3).normal(size=(10_000, 8))
    # 1 − 2.58/3.9, and the maximum of 10,000 numbers is 3.9 ± 0.3
    assert irs(z, np.random.default_rng(4).integers(5, size=(10_000, 3)))["irs"] == pytest.approx(
        0.34, abs=0.05
    )


def test_constant_codes_are_dropped() -> None:
    noisy = np.random.default_rng(5).normal(size=GRID.shape)
    some = np.insert(noisy, 1, 0.1, axis=1)
    found = irs(some, GRID)
    assert found["irs"] == irs(noisy, GRID)["irs"]
    assert list(found) == ["irs", "irs_0", "irs_2", "irs_3"]
    assert irs(np.full(GRID.shape, 0.1), GRID) == {"irs": 0}


def test_a_constant_factor_is_left_out() -> None:
    noisy = np.random.default_rng(6).normal(size=GRID.shape)
    assert irs(noisy, GRID * [1, 0, 1]) == irs(noisy, GRID[:, [0, 2]])
    with pytest.raises(ValueError, match="expected one that varies, but all 3"):
        irs(noisy, GRID * 0)


def test_a_factor_without_repeated_values_is_refused() -> None:
    with pytest.raises(ValueError, match="1 of 1 have another value in every one of the 24 rows"):
        irs(GRID, np.arange(len(GRID))[:, None])


@pytest.mark.parametrize("quantile", [-0.1, 1.1, np.nan])
def test_the_quantile_is_checked(quantile: float) -> None:
    with pytest.raises(ValueError, match=r"quantile: expected a number in \[0, 1\]"):
        irs(GRID, GRID, quantile=quantile)


@pytest.mark.parametrize("case", REFERENCE)
def test_equals_the_established_implementation(shared: Path, case: str) -> None:
    folder = shared / "reference" / "metrics"
    arrays = np.load(folder / f"{case}.npz")
    expected = json.loads((folder / f"{case}.json").read_text())["scores"]["irs"]["IRS"]
    found = irs(arrays["codes_train"], arrays["factors_train"], factor_bins=BINS)
    # The same order statistics and sums in another order: rounding only.
    assert found["irs"] == pytest.approx(expected, abs=1e-9)


def test_the_two_protocols_differ_on_the_reference_of_dsprites_sizes_alone(shared: Path) -> None:
    for case in REFERENCE:
        arrays = np.load(shared / "reference" / "metrics" / f"{case}.npz")
        z, v = arrays["codes_train"], arrays["factors_train"]
        higher = irs(z, v)["irs"] - irs(z, v, factor_bins=BINS)["irs"]
        # 40, 32 and 32 values against 20 bins: 0.4102 and 0.4053; no factor of the others has more than 10
        # values
        assert higher == (pytest.approx(0.0049, abs=5e-5) if case == "trained" else 0), case


def test_values_that_span_less_than_the_bins_have_one_each() -> None:
    rng = np.random.default_rng(7)
    v = rng.integers([0, -3, 100], [20, 9, 120], size=(2000, 3))
    v = v[~np.isin(v[:, 0], [4, 11])]  # values may be missing
    z = v @ rng.normal(size=(3, 4)) + rng.normal(size=(len(v), 4))
    assert irs(z, v, factor_bins=BINS) == irs(z, v)
    assert irs(z, v, factor_bins=2) != irs(z, v)


@pytest.mark.parametrize("sizes", [(21,), (40,), (32,), (3, 6, 40, 32, 32)])
def test_more_values_than_bins_are_cut_as_in_a_literal_transcription(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(8)
    v = rng.integers(sizes, size=(3000, len(sizes)))
    z = v @ rng.normal(size=(len(sizes), 5)) + rng.normal(size=(3000, 5))
    cut = np.stack([np.digitize(x, np.histogram(x, BINS)[1][:-1]) for x in v.T], axis=1)
    found = irs(z, v, factor_bins=BINS)["irs"]
    assert found == pytest.approx(transcribed(z, cut, 0.99), abs=1e-9)
    assert found < irs(z, v)["irs"] - 1e-4


def test_a_code_that_tells_values_within_a_bin_apart_is_charged_for_it() -> None:
    # Values 0 ... 39, two to a bin and each 1/2 off the bin's mean, against a largest deviation of 39/2.
    v = np.tile(np.arange(40), 5)[:, None]
    assert irs(v, v)["irs"] == 1
    assert irs(v, v, factor_bins=BINS)["irs"] == pytest.approx(1 - 0.5 / 19.5, abs=1e-12)


def test_values_all_different_share_bins() -> None:
    v = np.arange(100)[:, None]
    assert 0.9 < irs(v, v, factor_bins=BINS)["irs"] < 1
    with pytest.raises(ValueError, match="1 of 1 have another value in every one of the 20 rows"):
        irs(v[:20], v[:20], factor_bins=BINS)


@pytest.mark.parametrize("factor_bins", [1, 0, -20, 2.5, True, "20"])
def test_the_bins_are_checked(factor_bins: object) -> None:
    with pytest.raises(
        ValueError, match=r"factor_bins: expected an integer ≥ 2, got .*disentanglement_lib uses 20"
    ):
        irs(GRID, GRID, factor_bins=factor_bins)  # type: ignore[arg-type]

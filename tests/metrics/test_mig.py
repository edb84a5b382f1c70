"""MIG against hand-computed values, a transcription of the protocol, and the established implementation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from metrics.disentanglement.mig import mig
from metrics.information import binned, contingency, entropy, mutual_information

GRID = np.stack(np.meshgrid(np.arange(2), np.arange(3), np.arange(4), indexing="ij"), axis=-1).reshape(-1, 3)


def test_one_code_per_factor_is_one() -> None:
    scores = mig(GRID * [1.0, -2.0, 0.5], GRID)
    assert scores == pytest.approx({"mig": 1, "mig_0": 1, "mig_1": 1, "mig_2": 1}, abs=1e-12)


def test_duplicated_codes_have_no_gap() -> None:
    scores = mig(np.concatenate([GRID, GRID], axis=1), GRID)
    assert scores == pytest.approx({"mig": 0, "mig_0": 0, "mig_1": 0, "mig_2": 0}, abs=1e-12)


def test_partial_information() -> None:
    # The first code is the bit in 3 of 4 images: I = ln 2 − H(1/4), so the gap is 1 − H2(1/4) = 1 − 0.8112781
    # bit. The second is independent of the bit: I = 0.
    bit = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    codes = np.stack([[0, 0, 0, 1, 1, 1, 1, 0], [0, 1, 0, 1, 0, 1, 0, 1]], axis=1)
    assert mig(codes, bit[:, None])["mig"] == pytest.approx(0.1887218755, abs=1e-9)
    # A runner-up that is the bit in 3 of 4 images too, elsewhere, closes the gap.
    twin = np.array([1, 0, 0, 0, 1, 1, 0, 1])
    assert mig(np.stack([codes[:, 0], twin], axis=1), bit[:, None])["mig"] == pytest.approx(0, abs=1e-12)
    # Against a perfect code it leaves H2(1/4).
    assert mig(np.stack([bit, twin], axis=1), bit[:, None])["mig"] == pytest.approx(0.8112781245, abs=1e-9)


def test_a_single_latent_has_no_runner_up() -> None:
    assert mig(GRID[:, :1], GRID[:, :1])["mig"] == pytest.approx(1, abs=1e-12)


def test_a_constant_factor_is_left_out() -> None:
    scores = mig(GRID, GRID * [1, 0, 1])
    assert scores == pytest.approx({"mig": 1, "mig_0": 1, "mig_2": 1}, abs=1e-12)
    with pytest.raises(ValueError, match="all 3 are constant"):
        mig(GRID, GRID * 0)


def test_collapsed_codes_are_zero() -> None:
    assert mig(np.zeros(GRID.shape), GRID)["mig"] == 0
    # One unit in the last place of a float32 has no room for 20 bins, even if it follows a factor.
    trembling = np.float32(0.3) + np.float32(2**-25) * GRID.astype(np.float32)
    assert mig(trembling, GRID)["mig"] == 0


@pytest.mark.parametrize("bins", [1, 0, 2.5, True])
def test_bins_are_checked(bins: object) -> None:
    with pytest.raises(ValueError, match="bins: expected an integer ≥ 2"):
        mig(GRID, GRID, bins=bins)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bins_follow_the_protocol(dtype: type) -> None:
    rng = np.random.default_rng(0)
    columns = [
        rng.normal(size=4000),
        rng.integers(0, 21, size=4000) / 20,
        rng.exponential(size=4000) ** 3,
        np.full(4000, 0.1),
    ]
    codes = np.stack(columns, axis=1).astype(dtype)
    for code, found in zip(codes.T, binned(codes, 20), strict=True):
        expected = np.digitize(code, np.histogram(code, 20)[1][:-1])
        # Where numpy puts a constant among its bins is of no consequence.
        np.testing.assert_array_equal(found, expected - 1 if np.ptp(code) else np.zeros(4000))


def test_information_by_counting_is_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    a = rng.integers(20, size=500)
    b = (a + rng.integers(3, size=500)) % 7
    table = contingency(a, b, (20, 9))  # two values that never occur
    assert mutual_information(table) == pytest.approx(mutual_info_score(a, b), abs=1e-12)
    assert entropy(np.bincount(b)) == pytest.approx(mutual_info_score(b, b), abs=1e-12)


@pytest.mark.parametrize("case", ["perfect", "rotated", "trained", "collapsed"])
def test_equals_the_established_implementation(shared: Path, case: str) -> None:
    arrays = np.load(shared / "reference" / "metrics" / f"{case}.npz")
    expected = json.loads((shared / "reference" / "metrics" / f"{case}.json").read_text())["scores"]["mig"][
        "mig"
    ]
    # The same counts and the same sums, in another order: rounding only.
    assert mig(arrays["codes_train"], arrays["factors_train"])["mig"] == pytest.approx(expected, abs=1e-9)

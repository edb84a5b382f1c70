"""MIG-sup, JEMMIG, DCIMIG and RMIG: closed forms on a full grid, and plain transcriptions of the formulas."""

from __future__ import annotations

from math import log, sqrt
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import mutual_info_score

from metrics.disentanglement.dcimig import dcimig
from metrics.disentanglement.jemmig import jemmig
from metrics.disentanglement.mig import mig
from metrics.disentanglement.mig_sup import mig_sup
from metrics.disentanglement.rmig import rmig
from metrics.information import binned

GRID = np.stack(np.meshgrid(np.arange(2), np.arange(3), np.arange(4), indexing="ij"), axis=-1).reshape(-1, 3)
H = np.log([2, 3, 4])  # of the three factors, uniform on the grid
TWICE = np.concatenate([GRID, GRID], axis=1)
# The first code determines two factors (6 values in 20 bins), the second the third.
MERGED = np.stack([GRID[:, 0] + 2 * GRID[:, 1], GRID[:, 2]], axis=1)


def mixed(rows: int = 400) -> tuple[Any, Any]:
    """Codes that know a little of everything, and their factors."""
    rng = np.random.default_rng(3)
    v = np.stack([rng.integers(s, size=rows) for s in (2, 5, 7)], axis=1)
    return v @ rng.normal(size=(3, 5)) + rng.normal(size=(rows, 5)), v


def matrix(z: Any, v: Any) -> tuple[Any, Any]:
    """I [L][K] and H [K] by scikit-learn, one pair at a time."""
    b = binned(z, 20)
    known = np.array([[mutual_info_score(code, factor) for factor in v.T] for code in b])
    return known, np.array([mutual_info_score(factor, factor) for factor in v.T])


# --- mig_sup


def test_mig_sup_is_one_for_one_code_per_factor_duplicated_or_not() -> None:
    assert mig_sup(GRID * [1.0, -2.0, 0.5], GRID)["mig_sup"] == pytest.approx(1, abs=1e-12)
    assert mig_sup(TWICE, GRID)["mig_sup"] == pytest.approx(1, abs=1e-12)  # mig: 0


def test_mig_sup_of_a_code_that_knows_two_factors_is_zero() -> None:
    scores = mig_sup(MERGED, GRID)
    expected = {"mig_sup": 0.5, "mig_sup_all": 0.5, "mig_sup_0": 0, "mig_sup_1": 1}
    assert scores == pytest.approx(expected, abs=1e-12)


def test_mig_sup_leaves_inactive_codes_out() -> None:
    scores = mig_sup(GRID * [1, 0.1, 0.0], GRID)  # variances 1/4, 2/300 and 0
    assert scores == pytest.approx({"mig_sup": 1, "mig_sup_all": 2 / 3, "mig_sup_0": 1}, abs=1e-12)
    assert mig_sup(GRID * [1, 0.1, 0.0], GRID, threshold=0)["mig_sup_1"] == pytest.approx(1, abs=1e-12)
    assert mig_sup(GRID * 0.01, GRID)["mig_sup"] == 0
    with pytest.raises(ValueError, match="threshold: expected a variance ≥ 0, got -1"):
        mig_sup(GRID, GRID, threshold=-1)


def test_mig_sup_is_its_formula() -> None:
    z, v = mixed()
    known, entropy = matrix(z, v)
    total = 0.0
    for j in range(5):
        best = sorted(known[j][k] / entropy[k] for k in range(3))
        total += best[-1] - best[-2]
    assert mig_sup(z, v)["mig_sup"] == pytest.approx(total / 5, abs=1e-12)


def test_with_one_factor_the_runner_up_is_nothing() -> None:
    assert mig_sup(GRID, GRID[:, :1])["mig_sup"] == pytest.approx(
        1 / 3, abs=1e-12
    )  # one code knows it, two nothing
    assert dcimig(GRID, GRID[:, :1])["dcimig"] == pytest.approx(1, abs=1e-12)


# --- jemmig


def test_jemmig_is_one_for_factors_renamed() -> None:
    scores = jemmig(GRID * [1.0, -2.0, 0.5], GRID)
    assert scores["jemmig"] == pytest.approx(1, abs=1e-12)
    assert scores["jemmig_raw"] == pytest.approx(0, abs=1e-12)


def test_jemmig_pays_for_duplicates_and_for_what_else_a_code_says() -> None:
    # A second code that knows all: raw = H − H + H.
    assert jemmig(TWICE, GRID)["jemmig_raw"] == pytest.approx(H.mean(), abs=1e-12)
    # The merged code has ln 6 nats, of which ln 2 or ln 3 are of the factor: raw = ln 6 − ln 2, ln 6 − ln 3.
    scores = jemmig(MERGED, GRID)
    assert scores["jemmig_raw"] == pytest.approx((log(3) + log(2) + 0) / 3, abs=1e-12)
    assert scores["jemmig_0"] == pytest.approx(1 - log(3) / (log(2) + log(20)), abs=1e-12)


def test_jemmig_of_an_even_code_that_knows_nothing_is_the_bound() -> None:
    grid = np.stack(np.meshgrid(np.arange(20), np.arange(3)), axis=-1).reshape(-1, 2)
    scores = jemmig(grid[:, :1], grid[:, 1:])
    assert scores["jemmig"] == pytest.approx(0, abs=1e-12)
    assert scores["jemmig_raw"] == pytest.approx(log(20) + log(3), abs=1e-12)


def test_jemmig_of_a_constant_code_is_charged_the_factor_alone() -> None:
    assert jemmig(np.zeros((24, 2)), GRID)["jemmig_1"] == pytest.approx(
        log(20) / (log(3) + log(20)), abs=1e-12
    )


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_jemmig_takes_the_plainer_of_codes_that_tie(order: list[int]) -> None:
    # Both determine the first factor; the second one has more information besides.
    codes = np.stack([GRID[:, 0], 3 * GRID[:, 0] + 0.5 * GRID[:, 1]], axis=1)[:, order]
    assert jemmig(codes, GRID[:, :1])["jemmig_raw"] == pytest.approx(log(2), abs=1e-12)


def test_jemmig_is_its_formula() -> None:
    z, v = mixed()
    known, entropy = matrix(z, v)
    scores = []
    for k in range(3):
        first, second = np.argsort(known[:, k])[::-1][:2]
        joint = -sum(
            p * log(p)
            for p in (np.unique([binned(z, 20)[first], v[:, k]], axis=1, return_counts=True)[1] / 400)
        )
        scores.append(1 - (joint - known[first, k] + known[second, k]) / (entropy[k] + log(20)))
    assert jemmig(z, v)["jemmig"] == pytest.approx(np.mean(scores), abs=1e-12)


# --- dcimig


def test_dcimig_is_one_for_one_code_per_factor_duplicated_or_not() -> None:
    assert dcimig(GRID * [1.0, -2.0, 0.5], GRID)["dcimig"] == pytest.approx(1, abs=1e-12)
    assert dcimig(TWICE, GRID)["dcimig"] == pytest.approx(1, abs=1e-12)


def test_dcimig_of_a_merged_code_is_its_lead() -> None:
    expected = (0 + (log(3) - log(2)) + log(4)) / H.sum()
    assert dcimig(MERGED, GRID)["dcimig"] == pytest.approx(expected, abs=1e-12)


def test_dcimig_is_its_formula() -> None:
    z, v = mixed()
    known, entropy = matrix(z, v)
    exclusive = [0.0, 0.0, 0.0]
    for j in range(5):
        k = int(known[j].argmax())
        exclusive[k] = max(exclusive[k], known[j, k] - max(known[j, i] for i in range(3) if i != k))
    assert dcimig(z, v)["dcimig"] == pytest.approx(sum(exclusive) / sum(entropy), abs=1e-12)


# --- rmig


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rmig_of_a_deterministic_code_is_mig(dtype: type) -> None:
    rng = np.random.default_rng(2)
    v = np.stack([rng.integers(s, size=9000) for s in (2, 5, 7)], axis=1)  # more than two chunks
    z = (v @ rng.normal(size=(3, 5)) + rng.normal(size=(9000, 5))).astype(dtype)
    z[:, 4] = np.rint(z[:, 4] * 2)  # values on the edges of bins
    z[:, 3] = 0.3
    found, expected = rmig(z, np.zeros_like(z), v), mig(z, v)
    assert found.pop("rmig_raw") > 0
    # The expected counts are sums of 0 and 1, so the tables are the same; what is made of them is summed in
    # another order.
    assert found == pytest.approx({key.replace("mig", "rmig"): x for key, x in expected.items()}, abs=1e-14)


@pytest.mark.parametrize("sigma", [0.01, 0.5, 1.0, 30.0])
def test_rmig_of_a_bit_in_noise_is_the_binary_channel(sigma: float) -> None:
    bit = np.array([0, 1] * 50)
    flip = norm.cdf(-1 / sigma)
    lost = -(flip * log(flip) if flip else 0) - (1 - flip) * np.log1p(-flip)
    scores = rmig(2.0 * bit[:, None] - 1, np.full((100, 1), sigma), bit[:, None], bins=2)
    assert scores["rmig_raw"] == pytest.approx(log(2) - lost, abs=1e-12)
    assert scores["rmig"] == pytest.approx(1 - lost / log(2), abs=1e-12)


def test_rmig_is_its_formula() -> None:
    z, v = mixed(60)
    std = np.random.default_rng(4).uniform(0, 1.5, size=z.shape) * [1, 1, 0, 0.01, 5]
    gaps = []
    for k in range(3):
        known = []
        for j in range(5):
            edges = np.linspace(z[:, j].min(), z[:, j].max(), 21)
            edges[[0, -1]] = -np.inf, np.inf
            p = np.zeros((20, v[:, k].max() + 1))
            for n in range(60):
                if std[n, j] > 0:
                    p[:, v[n, k]] += np.diff(norm.cdf(edges, z[n, j], std[n, j])) / 60
                else:
                    p[np.searchsorted(edges[1:-1], z[n, j], side="right"), v[n, k]] += 1 / 60
            apart = np.outer(p.sum(axis=1), p.sum(axis=0))
            known.append(sum(x * log(x / y) for x, y in zip(p.ravel(), apart.ravel(), strict=True) if x > 0))
        known.sort()
        gaps.append((known[-1] - known[-2]) / mutual_info_score(v[:, k], v[:, k]))
    # scipy's two ways to the Gaussian distribution function differ in the last digits of small tails
    assert rmig(z, std, v)["rmig"] == pytest.approx(np.mean(gaps), abs=1e-10)


def test_rmig_is_what_drawn_codes_say() -> None:
    rng = np.random.default_rng(5)
    v = rng.integers(3, size=(20_000, 1))
    mean, std = v * sqrt(2), np.full(v.shape, 0.6)
    drawn = np.digitize(mean + std * rng.normal(size=v.shape), np.linspace(0, 2 * sqrt(2), 21)[1:-1])
    said = mutual_info_score(drawn[:, 0], v[:, 0])
    # 20,000 draws: counting adds 2 · 19 / 40,000 = 0.001 nats, scatter is about 0.004
    assert rmig(mean, std, v)["rmig_raw"] == pytest.approx(said - 0.001, abs=0.012)


def test_rmig_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="std: expected standard deviations ≥ 0, found -1"):
        rmig(GRID, GRID - 1, GRID)
    with pytest.raises(ValueError, match=r"std: expected the shape of mean \[24, 3\], got \[24, 2\]"):
        rmig(GRID, GRID[:, :2], GRID)
    for metric in (mig_sup, jemmig, dcimig):
        with pytest.raises(ValueError, match="bins: expected an integer ≥ 2, got 1"):
            metric(GRID, GRID, bins=1)  # type: ignore[operator]
    with pytest.raises(ValueError, match="bins: expected an integer ≥ 2, got 1"):
        rmig(GRID, GRID, GRID, bins=1)

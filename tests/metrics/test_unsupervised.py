"""Dependence among codes: closed forms of two Gaussians, degenerate covariances, the established
implementation.
"""

from __future__ import annotations

import json
from math import inf, log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.linalg import sqrtm
from sklearn.metrics import mutual_info_score

from metrics.disentanglement.unsupervised import unsupervised
from metrics.information import binned


def correlated(rho: float, rows: int = 500) -> Any:
    """Two codes [N, 2] whose sample correlation is exactly ρ, with sample variance (1/(N − 1)) 1."""
    raw = np.random.default_rng(0).normal(size=(rows, 2))
    white, _ = np.linalg.qr(raw - raw.mean(axis=0))
    x, y = white.T * sqrt(rows - 1)
    return np.stack([x, rho * x + sqrt(1 - rho**2) * y], axis=1)


@pytest.mark.parametrize("rho", [0.0, 0.5, -0.9, 0.9999])
def test_two_correlated_codes(rho: float) -> None:
    scores = unsupervised(correlated(rho))
    assert scores["unsupervised_total_correlation"] == pytest.approx(-0.5 * log(1 - rho**2), abs=1e-9)
    distance = 4 - 2 * (sqrt(1 + rho) + sqrt(1 - rho))
    assert scores["unsupervised_wasserstein"] == pytest.approx(distance, abs=1e-9)
    assert scores["unsupervised_wasserstein_norm"] == pytest.approx(distance / 2, abs=1e-9)


def test_formulas_on_unequal_variances() -> None:
    rng = np.random.default_rng(1)
    z = rng.normal(size=(300, 4)) @ rng.normal(size=(4, 4)) * [1, 3, 0.1, 10] + [0, 5, 1, -100]
    covariance = np.cov(z.T)
    variances = np.diag(covariance)
    root = np.sqrt(np.diag(variances))
    scores = unsupervised(z)
    total = 0.5 * (np.log(variances).sum() - np.linalg.slogdet(covariance)[1])
    distance = 2 * variances.sum() - 2 * np.trace(sqrtm(root @ covariance @ root)).real
    pairs = [mutual_info_score(a, b) for i, a in enumerate(binned(z, 20)) for b in binned(z, 20)[:i]]
    assert scores["unsupervised_total_correlation"] == pytest.approx(total, rel=1e-9)
    assert scores["unsupervised_wasserstein"] == pytest.approx(distance, rel=1e-9)
    assert scores["unsupervised_wasserstein_norm"] == pytest.approx(distance / variances.sum(), rel=1e-9)
    assert scores["unsupervised_mutual_information"] == pytest.approx(np.mean(pairs), abs=1e-12)


def test_constant_codes_are_independent_of_all() -> None:
    z = correlated(0.5)
    more = unsupervised(np.concatenate([z, np.full((500, 2), 0.1)], axis=1))
    alone = unsupervised(z)
    for key in ("total_correlation", "wasserstein", "wasserstein_norm"):
        assert more[f"unsupervised_{key}"] == pytest.approx(alone[f"unsupervised_{key}"], abs=1e-12)
    # One of six pairs knows anything.
    key = "unsupervised_mutual_information"
    assert more[key] == pytest.approx(alone[key] / 6, abs=1e-12)
    assert set(unsupervised(np.full((9, 3), 0.1)).values()) == {0}
    assert set(unsupervised(z[:, :1]).values()) == {0}


@pytest.mark.parametrize("dependent", [[1.0, 0.0], [-2.0, 0.0], [0.3, 0.7]])
def test_linear_dependence_is_infinite_total_correlation(dependent: list[float]) -> None:
    z = correlated(0.2)
    scores = unsupervised(np.column_stack([z, z @ dependent]))
    assert scores.pop("unsupervised_total_correlation") == inf
    assert np.isfinite(list(scores.values())).all()
    # Nearly dependent is not: noise of a millionth is 13 nats and more.
    near = z @ dependent + 1e-6 * np.random.default_rng(2).normal(size=500)
    assert 10 < unsupervised(np.column_stack([z, near]))["unsupervised_total_correlation"] < 16


def test_as_few_images_as_codes_are_always_dependent() -> None:
    z = np.random.default_rng(3).normal(size=(5, 5))
    assert unsupervised(z)["unsupervised_total_correlation"] == inf


def test_scale() -> None:
    z = correlated(0.5) + 3
    for scale in (1e-160, 1e12):  # squares underflow, or are beyond what a sum of squares keeps digits of
        scores, unit = unsupervised(z * scale), unsupervised(z)
        for key in ("total_correlation", "wasserstein_norm", "mutual_information"):
            assert scores[f"unsupervised_{key}"] == pytest.approx(unit[f"unsupervised_{key}"], rel=1e-9)
    assert unsupervised(z * 1e3)["unsupervised_wasserstein"] == pytest.approx(
        1e6 * unsupervised(z)["unsupervised_wasserstein"], rel=1e-9
    )


def test_bins_are_checked() -> None:
    with pytest.raises(ValueError, match="bins: expected an integer ≥ 2, got 1"):
        unsupervised(correlated(0.5), bins=1)


@pytest.mark.parametrize("case", ["perfect", "rotated", "trained", "collapsed"])
def test_equals_the_established_implementation(shared: Path, case: str) -> None:
    arrays = np.load(shared / "reference" / "metrics" / f"{case}.npz")
    expected = json.loads((shared / "reference" / "metrics" / f"{case}.json").read_text())["scores"][
        "unsupervised"
    ]
    found = unsupervised(arrays["codes_train"])
    names = {
        "gaussian_total_correlation": "unsupervised_total_correlation",
        "gaussian_wasserstein_correlation": "unsupervised_wasserstein",
        "gaussian_wasserstein_correlation_norm": "unsupervised_wasserstein_norm",
        "mutual_info_score": "unsupervised_mutual_information",
    }
    for theirs, ours in names.items():
        if expected[theirs] is not None:  # undefined there: eight codes are constant
            # Eigenvalues instead of a matrix root and a determinant: rounding only.
            assert found[ours] == pytest.approx(expected[theirs], abs=1e-9)
        else:
            varying = arrays["codes_train"][:, np.ptp(arrays["codes_train"], axis=0) > 0]
            correlation = np.corrcoef(varying.T)
            assert found[ours] == pytest.approx(-0.5 * np.linalg.slogdet(correlation)[1], abs=1e-9)

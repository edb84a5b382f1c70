"""k-means clusters against classes: tables by hand, scikit-learn's scores, blobs, degenerate codes."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from metrics.information import contingency
from metrics.representation.clustering import _accuracy, _ari, _nmi, clustering


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def blobs(n: int = 600, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(n) % classes
    return 10 * rng(1).normal(size=(classes, 3))[labels] + 0.1 * rng(2).normal(size=(n, 3)), labels


def test_separate_blobs_are_found() -> None:
    codes, labels = blobs()
    expected = {"clustering_accuracy": 1, "clustering_nmi": 1, "clustering_ari": 1}
    assert clustering(codes, labels, rng()) == pytest.approx(expected, abs=1e-12)
    # Where the codes are, and in which unit, is of no consequence.
    assert clustering(codes * 1e-9 + 5, labels, rng()) == pytest.approx(expected, abs=1e-12)
    assert clustering(codes.astype(np.float32) * 1e12, labels, rng()) == pytest.approx(expected, abs=1e-12)


def test_scores_of_a_table_by_hand() -> None:
    # 6 of 8 on the best assignment. Pairs together in both: 3 + 3 = 6 of A = 2·C(4, 2) = 12 and B = 12;
    # E = 12·12/28.
    table = np.array([[3, 1], [1, 3]])
    assert _accuracy(table) == 6 / 8
    assert _accuracy(table[::-1]) == 6 / 8
    assert _ari(table) == pytest.approx((6 - 144 / 28) / (12 - 144 / 28))
    assert _nmi(table) == pytest.approx(0.1887218755)  # 1 − H2(1/4) bit, of 1 bit each


def test_scores_equal_scikit_learns() -> None:
    for seed in range(5):
        a, b = rng(seed).integers(4, size=100), rng(seed + 50).integers(4, size=100)
        b[: 20 * seed] = a[: 20 * seed]
        table = contingency(a, b, (4, 4))
        assert _ari(table) == pytest.approx(adjusted_rand_score(a, b), abs=1e-12)
        assert _nmi(table) == pytest.approx(normalized_mutual_info_score(a, b), abs=1e-12)
        best = max(np.mean(np.array(order)[a] == b) for order in permutations(range(4)))
        assert _accuracy(table) == pytest.approx(best, abs=1e-12)


def test_constant_codes_are_one_cluster() -> None:
    labels = np.where(np.arange(500) % 10 < 7, 1, 8)
    for constant in (0.0, 0.1):
        found = clustering(np.full((500, 3), constant), labels, rng())
        assert found == {"clustering_accuracy": 0.7, "clustering_nmi": 0, "clustering_ari": 0}


def test_codes_that_know_nothing() -> None:
    found = clustering(rng(3).normal(size=(3000, 4)), rng(4).integers(5, size=3000), rng())
    # Chance of the best of 120 assignments on 3,000 rows: 1/5 and three standard errors of 0.007
    assert 0.2 <= found["clustering_accuracy"] < 0.23
    assert found["clustering_nmi"] < 0.01
    assert abs(found["clustering_ari"]) < 0.01


def test_targets_of_one_size_share_clusters_and_are_averaged() -> None:
    codes, labels = blobs()
    chance = rng(5).integers(4, size=600)
    found = clustering(codes, np.stack([labels, chance, labels // 2, labels * 0], axis=1), rng())
    each = [f"clustering_accuracy_{k}" for k in (0, 1, 2)]
    assert list(found) == ["clustering_accuracy", "clustering_nmi", "clustering_ari", *each]
    assert found["clustering_accuracy"] == pytest.approx(np.mean([found[key] for key in each]))
    assert found["clustering_accuracy_0"] == 1
    assert found["clustering_accuracy_1"] < 0.35


def test_digits() -> None:
    codes, labels = load_digits(return_X_y=True)
    # k-means on the pixels of these digits finds 0.79 of them, NMI 0.74, as in scikit-learn's own example.
    found = clustering(codes, labels, rng())
    assert found["clustering_accuracy"] == pytest.approx(0.79, abs=0.04)
    assert found["clustering_nmi"] == pytest.approx(0.74, abs=0.03)


def test_settings_and_targets_are_checked() -> None:
    codes, labels = blobs()
    with pytest.raises(ValueError, match="starts: expected an integer ≥ 1"):
        clustering(codes, labels, rng(), starts=0)
    with pytest.raises(ValueError, match="targets: expected one that varies"):
        clustering(codes, labels * 0, rng())
    with pytest.raises(ValueError, match="targets: found 600 classes among 600"):
        clustering(codes, np.arange(600), rng())

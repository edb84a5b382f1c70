"""Precision, recall, density, coverage: by hand, in expectation, against a transcription and the authors'
code.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from metrics import neighbours
from metrics.samples.prdc import _prdc, prdc

Points = np.ndarray


def normal(n: int, dimensions: int, seed: int) -> Points:
    return np.random.default_rng(seed).normal(size=(n, dimensions))


def literal(x: Points, y: Points, k: int) -> dict[str, float]:
    """The formulas of the two papers, distance by distance."""

    def distance(a: Points, b: Points) -> Points:
        return np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=2))

    reach_x = np.sort(distance(x, x), axis=1)[:, k]  # place 0 is the point itself
    reach_y = np.sort(distance(y, y), axis=1)[:, k]
    between = distance(x, y)
    return {
        "coverage": np.mean([(between[i] <= reach_x[i]).any() for i in range(len(x))]),
        "density": sum((between[:, j] <= reach_x).sum() for j in range(len(y))) / (k * len(y)),
        "precision": np.mean([(between[:, j] <= reach_x).any() for j in range(len(y))]),
        "recall": np.mean([(between[i] <= reach_y).any() for i in range(len(x))]),
    }


def test_three_points_by_hand() -> None:
    # k = 1. Radii of 0, 1, 3: 1, 1, 2; of 2, 10, 11: 8, 1, 1. Sample 2 is on the sphere around 1 and within
    # that around 3.
    x, y = np.array([[0.0], [1.0], [3.0]]), np.array([[2.0], [10.0], [11.0]])
    expected = {"coverage": 2 / 3, "density": 2 / 3, "precision": 1 / 3, "recall": 1.0}
    assert _prdc(x, y, 1) == pytest.approx(expected, abs=1e-12)


def test_the_real_images_themselves() -> None:
    # Each ball holds its centre and the k neighbours that define it: (k + 1) / k.
    x = normal(300, 6, 0)
    expected = {"coverage": 1, "density": 1.2, "precision": 1, "recall": 1}
    assert _prdc(x, x[::-1], 5) == pytest.approx(expected, abs=1e-12)


def test_one_distribution_on_both_sides() -> None:
    found = [_prdc(normal(400, 5, 2 * seed), normal(300, 5, 2 * seed + 1), 5) for seed in range(20)]
    # Exact expectations, whatever the distribution: a fresh point falls into a ball with probability k/N, and
    # x is not covered when the k nearest of all N − 1 + M others are real. Standard errors of 20 draws: 0.015
    # and 0.003.
    assert np.mean([f["density"] for f in found]) == pytest.approx(1, abs=0.05)
    missed = math.prod((399 - i) / (699 - i) for i in range(5))
    assert np.mean([f["coverage"] for f in found]) == pytest.approx(1 - missed, abs=0.01)


def test_far_apart_is_zero() -> None:
    assert _prdc(normal(50, 3, 0), normal(60, 3, 1) + 100, 5) == dict.fromkeys(
        ("coverage", "density", "precision", "recall"), 0.0
    )


def test_a_mode_that_is_missed_costs_recall_and_coverage_but_not_precision() -> None:
    x = normal(400, 2, 0)
    x[:200] += 50
    found = _prdc(x, normal(400, 2, 1), 5)
    assert found["precision"] > 0.95
    assert found["recall"] < 0.55
    assert found["coverage"] < 0.52


# What the authors' package prdc 0.2 (compute_prdc) answers on these points: x = rng.normal(size=(n, F)), then
# y = 0.9 rng.normal(size=(m, F)) + shift, rng = default_rng(0).
PACKAGE = {
    (0.0, 1000, 800, 8, 5): {"precision": 0.975, "recall": 0.887, "density": 1.244, "coverage": 0.955},
    (1.0, 1000, 800, 8, 5): {"precision": 0.67125, "recall": 0.52, "density": 0.4035, "coverage": 0.264},
    (0.5, 600, 900, 3, 3): {
        "precision": 0.9388888888888889,
        "recall": 0.9016666666666666,
        "density": 1.0,
        "coverage": 0.8133333333333334,
    },
}


@pytest.mark.parametrize("setting", PACKAGE)
def test_equals_the_authors_package(setting: tuple[float, int, int, int, int]) -> None:
    shift, n, m, dimensions, k = setting
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, dimensions))
    y = rng.normal(size=(m, dimensions)) * 0.9 + shift
    # Shares of whole points: equal or wrong.
    assert _prdc(x, y, k) == pytest.approx(PACKAGE[setting], abs=1e-12)


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_equals_the_formulas_in_blocks_too(k: int, offset: float, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = normal(90, 3, 4) + offset, 1.2 * normal(70, 3, 5) + offset + 0.3
    expected = literal(x, y, k)
    assert _prdc(x, y, k) == pytest.approx(expected, abs=1e-12)
    monkeypatch.setattr(neighbours, "_VALUES", 200)  # two or three rows at a time
    assert _prdc(x, y, k) == pytest.approx(expected, abs=1e-12)


def test_repeated_images_reach_their_copies() -> None:
    # Integer points, so that distances are equal exactly and often; six copies of each have a radius of 0.
    x = np.repeat(np.random.default_rng(6).integers(0, 200, size=(30, 4)).astype(float), 6, axis=0)
    assert _prdc(x, x[::3], 5) == pytest.approx(literal(x, x[::3], 5), abs=1e-12)
    assert _prdc(x, x[::3], 5)["coverage"] == 1


def test_images_are_compared_by_pixels() -> None:
    rng = np.random.default_rng(7)
    real, samples = rng.random((200, 1, 3, 3)), rng.random((150, 1, 3, 3)) * 0.8
    # Nine components of nine pixels are a rotation: distances are those of the images.
    expected = literal(real.reshape(200, 9), samples.reshape(150, 9), 5)
    found = prdc(real, samples)
    assert list(found) == ["prdc_coverage", "prdc_density", "prdc_precision", "prdc_recall"]
    assert found == pytest.approx({f"prdc_{key}": value for key, value in expected.items()}, abs=1e-12)


def test_settings_and_sizes_are_checked() -> None:
    images = np.random.default_rng(8).random((6, 1, 3, 3))
    assert prdc(images, images)["prdc_coverage"] == 1
    with pytest.raises(ValueError, match="real: expected at least 7 rows, got 6"):
        prdc(images, images, neighbours=6)
    with pytest.raises(ValueError, match="samples: expected at least 6 rows, got 5"):
        prdc(images, images[:5])
    with pytest.raises(ValueError, match="neighbours: expected an integer ≥ 1"):
        prdc(images, images, neighbours=0)
    with pytest.raises(ValueError, match="components: expected an integer ≥ 1"):
        prdc(images, images, components=0)

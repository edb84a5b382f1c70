"""Information bounds: exact integrals of a small model, and bounds that are met."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from metrics import posterior
from metrics.rate.information_bounds import information_bounds
from metrics.rate.kl_decomposition import kl_decomposition

# The eight images of three binary values, one latent. Sums over a grid are the integrals.
IMAGES = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij"), axis=-1).reshape(8, 3)
GRID = np.linspace(-9, 9, 3601)
STEP = GRID[1] - GRID[0]


def encoded(scale: float, sigma: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """mean and std [8, 1], q(z | x) [8, grid], and the information in nats."""
    mean = scale * (IMAGES @ [1.0, 0.6, -0.3] - 0.65)[:, None]
    std = np.full_like(mean, sigma)
    q = norm.pdf(GRID, mean, std)
    mixture = q.mean(axis=0)
    ratio = np.log(np.maximum(q, 1e-300) / np.maximum(mixture, 1e-300))
    return mean, std, q, float((q * ratio).sum(axis=1).mean() * STEP)


def per_image(mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    return posterior.rates(mean, std).sum(axis=1)


@pytest.mark.parametrize(("scale", "sigma"), [(0.2, 0.9), (1.2, 0.5), (1.7, 0.12), (2.0, 0.03)])
def test_information_lies_between(scale: float, sigma: float) -> None:
    mean, std, q, information = encoded(scale, sigma)
    # A decoder of independent bits, each a slope away from the code: a model, not the encoder's inverse.
    logits = GRID[:, None] * np.array([2.0, 1.0, -0.5])
    log_p = (IMAGES[:, None] * logits - np.logaddexp(0, logits)).sum(axis=2)
    distortion = -(q * log_p).sum(axis=1) * STEP
    found = information_bounds(distortion, per_image(mean, std), 3)
    assert found["information_bounds_lower"] <= information <= found["information_bounds_upper"]
    assert found["information_bounds_gap"] == (
        found["information_bounds_upper"] - found["information_bounds_lower"]
    )
    # The estimate from mean and std says the same, and so lies there too.
    estimate = kl_decomposition(mean, std, np.random.default_rng(0))["kl_decomposition_mutual_information"]
    assert estimate == pytest.approx(information, abs=0.05)  # about 4 standard errors of 2,000 draws


@pytest.mark.parametrize(("scale", "sigma"), [(1.2, 0.5), (1.7, 0.12)])
def test_the_encoders_own_inverse_meets_the_lower_bound(scale: float, sigma: float) -> None:
    mean, std, q, information = encoded(scale, sigma)
    inverse = np.maximum(q / np.maximum(q.sum(axis=0), 1e-300), 1e-300)
    distortion = -(q * np.log(inverse)).sum(axis=1) * STEP
    found = information_bounds(distortion, per_image(mean, std), 3)
    assert found["information_bounds_lower"] == pytest.approx(information, abs=1e-9)


def test_bounds_that_are_met() -> None:
    # Codes that say nothing, a decoder that guesses: 0 on both sides.
    guess = np.full(8, math.log(8))
    assert information_bounds(guess, np.zeros(8), 3) == pytest.approx(
        dict.fromkeys(("information_bounds_lower", "information_bounds_upper", "information_bounds_gap"), 0),
        abs=1e-12,
    )
    # Every image comes back: the lower bound is all there is to know, ln N.
    assert information_bounds(np.zeros(8), guess + 1, 3) == pytest.approx(
        {
            "information_bounds_lower": math.log(8),
            "information_bounds_upper": math.log(8) + 1,
            "information_bounds_gap": 1,
        }
    )
    # What cannot be, is not below 0.
    assert information_bounds(guess + 5, guess, 3)["information_bounds_lower"] == 0


def test_a_density_is_counted_in_bins() -> None:
    # 256 images of one value each. A decoder with a uniform density on [0, 1] knows nothing of them; one that
    # puts all its density into the value's own bin, 256 high, knows the value.
    bins = {"dimensions": 1, "bin_width": 1 / 256}
    cost = np.full(256, 6.0)
    assert information_bounds(np.zeros(256), cost, **bins)["information_bounds_lower"] == pytest.approx(
        0, abs=1e-12
    )
    sharp = np.full(256, -math.log(256))
    assert information_bounds(sharp, cost, **bins)["information_bounds_lower"] == pytest.approx(math.log(256))


def test_a_known_entropy_replaces_that_of_the_rows() -> None:
    # Ten copies of each image: ln 80 would claim more than there is.
    distortion, cost = np.zeros(80), np.full(80, math.log(8))
    assert information_bounds(distortion, cost, 3)["information_bounds_gap"] == pytest.approx(-math.log(10))
    found = information_bounds(distortion, cost, 3, entropy=math.log(8))
    assert found["information_bounds_gap"] == pytest.approx(0, abs=1e-12)
    for wrong in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="entropy: expected nats ≥ 0"):
            information_bounds(distortion, cost, 3, entropy=wrong)


def test_a_deterministic_code_has_no_upper_bound() -> None:
    found = information_bounds(np.zeros(4), np.array([1.0, math.inf, 1.0, 1.0]), 3)
    assert list(found.values()) == [math.log(4), math.inf, math.inf]


def test_dimensions_and_bin_width_are_checked() -> None:
    with pytest.raises(ValueError, match="dimensions: expected an integer ≥ 1"):
        information_bounds([1.0], [1.0], 0)
    with pytest.raises(ValueError, match="bin_width: expected a width > 0"):
        information_bounds([1.0], [1.0], 4, bin_width=0.0)

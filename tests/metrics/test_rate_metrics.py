"""Rate, active units, negative ELBO and bits per dimension: closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from metrics import posterior
from metrics.rate.active_units import active_units
from metrics.rate.bits_per_dim import bits_per_dim
from metrics.rate.negative_elbo import negative_elbo
from metrics.rate.rate import rate


def test_the_closed_form_of_gaussian_latents_is_the_divergence_by_quadrature() -> None:
    mean, std = np.array([0.7, -2.0]), np.array([0.3, 1.6])
    for mu, sigma, found in zip(mean, std, posterior.rates(mean, std), strict=True):
        q = norm(mu, sigma)
        expected, _ = quad(
            lambda z, q=q: q.pdf(z) * (q.logpdf(z) - norm.logpdf(z)), mu - 12 * sigma, mu + 12 * sigma
        )
        assert found == pytest.approx(expected, rel=1e-8)


def test_rate_is_the_mean_over_images_of_the_whole_and_of_each_group() -> None:
    groups = np.array([[2.0, 1.0, 0.0], [0.0, 0.5, -0.1]])
    nats = {"rate": 1.7, "rate_0": 1, "rate_1": 0.75, "rate_2": -0.05}
    bits = {key.replace("rate", "rate_bits"): value / math.log(2) for key, value in nats.items()}
    assert rate(groups.sum(axis=1), groups) == pytest.approx(nats | bits, rel=1e-12)


def test_a_deterministic_code_has_an_infinite_rate() -> None:
    groups = np.array([[1.0, 0.5], [1.0, math.inf]])
    nats = {"rate": math.inf, "rate_0": 1, "rate_1": math.inf}
    bits = {"rate_bits": math.inf, "rate_bits_0": 1 / math.log(2), "rate_bits_1": math.inf}
    assert rate(groups.sum(axis=1), groups) == pytest.approx(nats | bits)


def test_rate_refuses_groups_that_are_not_its_own() -> None:
    with pytest.raises(ValueError, match="add up to the rate"):
        rate(np.ones(3), np.ones((3, 2)))
    with pytest.raises(ValueError, match="add up to the rate"):
        rate(np.ones(3), np.full((3, 1), math.inf))
    with pytest.raises(ValueError, match=r"rate_per_group: expected nats \[N, G\], got float64 \[3\]"):
        rate(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="same number of rows"):
        rate(np.ones(3), np.ones((2, 1)))
    with pytest.raises(ValueError, match="rate_per_group: expected finite nats"):
        rate(np.ones(1), np.array([[math.nan]]))


def test_active_units_counts_the_means_that_move() -> None:
    sign = np.where(np.arange(1000) % 2, 1.0, -1.0)[:, None]  # variance 1, exactly
    assert active_units(sign * np.sqrt([0.02, 0.0101, 0.0099, 0.0]) + [0.0, 5.0, 5.0, 5.0]) == {
        "active_units": 2
    }
    assert active_units([[0.09], [-0.09]]) == {
        "active_units": 0
    }  # 0.0081 with 1/N; 1/(N − 1) would give 0.0162
    assert active_units(sign * [0.02, 3.0], threshold=0) == {"active_units": 2}
    with pytest.raises(ValueError, match="threshold: expected a variance ≥ 0, got -1"):
        active_units(sign, threshold=-1)
    with pytest.raises(ValueError, match="at least 2 rows, got 1"):
        active_units(sign[:1])


def test_negative_elbo_is_the_mean_sum() -> None:
    assert negative_elbo([100.0, 50.0], [10.0, 20.0]) == {"negative_elbo": 90}
    assert negative_elbo([1.0], [math.inf]) == {"negative_elbo": math.inf}


def test_a_fair_coin_per_value_costs_one_bit() -> None:
    coins = np.full(7, 64 * math.log(2))
    assert bits_per_dim(coins, np.zeros(7), 64)["bits_per_dim"] == pytest.approx(1, rel=1e-12)
    # Half of the bits spent in the code is no saving.
    assert bits_per_dim(coins / 2, coins / 2, 64)["bits_per_dim"] == pytest.approx(1, rel=1e-12)
    assert bits_per_dim(coins, np.full(7, math.inf), 64) == {"bits_per_dim": math.inf}


def test_a_density_is_counted_in_bins() -> None:
    # The uniform density on [0, 1] has −ln p = 0: with 256 bins of equal width each value costs 8 bits.
    found = bits_per_dim(np.zeros(3), np.zeros(3), 12, bin_width=1 / 256)
    assert found["bits_per_dim"] == pytest.approx(8, rel=1e-12)
    # The entropy of a rounded Gaussian: its differential entropy and −log2 δ, when σ is well above δ.
    sigma, delta = 0.2, 1 / 255
    values = np.arange(-1.2, 1.2, delta)  # 6 σ
    mass = norm(0, sigma).cdf(values + delta / 2) - norm(0, sigma).cdf(values - delta / 2)
    exact = -(mass * np.log2(mass)).sum()
    entropy = 0.5 * math.log(2 * math.pi * math.e * sigma**2)
    found = bits_per_dim([784 * entropy], [0.0], 784, bin_width=delta)
    assert found["bits_per_dim"] == pytest.approx(exact, abs=1e-3)


@pytest.mark.parametrize("dimensions", [0, -3, 2.0, True])
def test_dimensions_are_checked(dimensions: object) -> None:
    with pytest.raises(ValueError, match="dimensions: expected an integer ≥ 1"):
        bits_per_dim([1.0], [1.0], dimensions)  # type: ignore[arg-type]


@pytest.mark.parametrize("bin_width", [0.0, -1.0, math.nan, math.inf])
def test_bin_width_is_checked(bin_width: float) -> None:
    with pytest.raises(ValueError, match="bin_width: expected a width > 0"):
        bits_per_dim([1.0], [1.0], 4, bin_width=bin_width)

"""KL decomposition and aggregate posterior: closed forms, exact integrals, what the estimate is biased by."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm, qmc

from metrics import average_kl, posterior
from metrics.rate.aggregate_posterior import aggregate_posterior
from metrics.rate.kl_decomposition import kl_decomposition

KEYS = ("mutual_information", "total_correlation", "dimension_wise_kl")
MU = np.array([[0.0, 0.5], [1.0, 0.4], [-0.7, -1.1], [2.0, 1.5], [0.2, -0.3]])
SIGMA = np.array([[0.6, 0.9], [0.4, 0.5], [1.0, 0.7], [0.5, 0.6], [0.3, 1.2]])


def terms(mean: NDArray[np.float64], std: NDArray[np.float64], seed: int = 0, **settings: int) -> list[float]:
    found = kl_decomposition(mean, std, np.random.default_rng(seed), **settings)
    return [found[f"kl_decomposition_{key}"] for key in KEYS]


def exact(mean: NDArray[np.float64], std: NDArray[np.float64]) -> list[float]:
    """The definitions, of two latents, by sums over a grid."""
    axis = np.linspace(-9, 9, 901)
    cell = (axis[1] - axis[0]) ** 2
    density = norm.pdf(axis[:, None, None], mean, std)  # [grid, N, 2]
    each = np.einsum("an,bn->nab", density[..., 0], density[..., 1])
    q = each.mean(axis=0)
    factorial = np.outer(*density.mean(axis=1).T)
    prior = np.outer(norm.pdf(axis), norm.pdf(axis))

    def divergence(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        seen = a > 1e-200
        return float((a[seen] * np.log(a[seen] / b[seen])).sum() * cell)

    return [
        float(np.mean([divergence(one, q) for one in each])),
        divergence(q, factorial),
        divergence(factorial, prior),
    ]


def gaussian_codes(
    sigma: float, correlation: float, rows: int = 2**12
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means of two correlated latents, evenly spread, so that q(z) is nearly Gaussian; variances are 1."""
    u, v = norm.ppf(qmc.Sobol(2, rng=np.random.default_rng(0)).random(rows)).T
    mean = np.stack([u, correlation * u + math.sqrt(1 - correlation**2) * v], axis=1)
    return mean, np.full(mean.shape, sigma)


def test_equals_the_integrals_without_bias() -> None:
    runs = np.array([terms(MU, SIGMA, seed, draws=1000) for seed in range(40)])
    error = runs.std(axis=0, ddof=1) / math.sqrt(40)
    assert error.max() < 0.003
    np.testing.assert_array_less(np.abs(runs.mean(axis=0) - exact(MU, SIGMA)), 4 * error)


@pytest.mark.parametrize(("sigma", "correlation"), [(1.0, 0.0), (0.7, 0.8), (0.3, -0.9)])
def test_a_gaussian_aggregate_posterior(sigma: float, correlation: float) -> None:
    mean, std = gaussian_codes(sigma, correlation)
    variance = 1 + sigma**2  # of q(z), whose covariance is `correlation`
    joint = math.log(variance**2 - correlation**2)
    expected = [
        0.5 * (joint - 2 * math.log(sigma**2)),
        0.5 * (2 * math.log(variance) - joint),
        variance - 1 - math.log(variance),  # twice ½ (v − 1 − ln v)
    ]
    # The draws' standard error is below 0.01; 4,096 images instead of infinitely many take about as much from
    # the first.
    assert terms(mean, std, draws=4000) == pytest.approx(expected, abs=0.04)
    found = aggregate_posterior(mean, std, np.random.default_rng(0), draws=4000)
    assert found["aggregate_posterior"] == pytest.approx(expected[1] + expected[2], abs=0.04)
    # Exact but for the moments of 4,096 Sobol points.
    assert found["aggregate_posterior_gaussian"] == pytest.approx(expected[1] + expected[2], abs=0.01)


def test_images_far_apart_are_told_apart() -> None:
    # Two groups 20 σ apart in both latents: one bit, which both latents carry.
    mean = np.where(np.arange(50)[:, None] % 2, 10.0, -10.0) * np.ones(2)
    found = terms(mean, np.ones((50, 2)))
    assert found == pytest.approx([math.log(2), math.log(2), 100 - 2 * math.log(2)], rel=1e-9)


def test_a_collapsed_posterior_is_the_prior() -> None:
    mean, std = np.zeros((30, 4)), np.ones((30, 4))
    assert terms(mean, std) == pytest.approx([0, 0, 0], abs=1e-12)
    found = aggregate_posterior(mean, std, np.random.default_rng(0))
    assert list(found.values()) == pytest.approx([0] * 5, abs=1e-12)


def test_one_image_has_no_index() -> None:
    mutual_information, total_correlation, dimension_wise = terms(MU[:1], SIGMA[:1])
    assert (mutual_information, total_correlation) == pytest.approx((0, 0), abs=1e-12)
    assert dimension_wise == pytest.approx(posterior.rates(MU[:1], SIGMA[:1]).sum(), rel=1e-9)


@pytest.mark.parametrize("draws", [3, 17, 2000])
def test_the_terms_add_up_to_the_rate(draws: int) -> None:
    rng = np.random.default_rng(1)
    mean, std = 3 * rng.normal(size=(200, 5)), rng.uniform(0.1, 1, size=(200, 5))
    assert sum(terms(mean, std, draws=draws)) == pytest.approx(
        posterior.rates(mean, std).sum(axis=1).mean(), rel=1e-9
    )


def test_information_is_at_most_that_of_the_components() -> None:
    # 1,000 images far apart. The mixture of 100 of them knows a hundred.
    mean, std = 1000.0 * np.arange(1000)[:, None] * np.ones(2), np.ones((1000, 2))
    for components in (1, 100, 1000):
        assert terms(mean, std, components=components)[0] == pytest.approx(math.log(components), abs=1e-9)


def test_fewer_components_move_nats_from_information_to_the_prior() -> None:
    mean, std = gaussian_codes(0.3, 0.0, rows=2**11)
    full, full_kl = (np.mean([f(mean, std, seed) for seed in range(5)]) for f in (_information, _divergence))
    part, part_kl = (
        np.mean([f(mean, std, seed, components=64) for seed in range(20)])
        for f in (_information, _divergence)
    )
    # Too small, by at most ln (N/M); here I = ln (1.09/0.09) = 2.5 nats, of ln 64 = 4.2.
    assert 0.05 < full - part < math.log(2**11 / 64)
    # What goes from one comes to the other: twenty subsets of 64 have the rate of all to about 0.05 nats.
    assert part_kl - full_kl == pytest.approx(full - part, abs=0.2)


def _information(mean: NDArray[np.float64], std: NDArray[np.float64], seed: int, **settings: int) -> float:
    return terms(mean, std, seed, **settings)[0]


def _divergence(mean: NDArray[np.float64], std: NDArray[np.float64], seed: int, **settings: int) -> float:
    return sum(terms(mean, std, seed, **settings)[1:])


def test_deterministic_codes_are_counted() -> None:
    rng = np.random.default_rng(2)
    different = rng.normal(size=(300, 3))
    information, correlation, prior = terms(different, np.zeros((300, 3)))
    assert (information, correlation, prior) == pytest.approx((math.log(300), 2 * math.log(300), math.inf))
    # Two places, of one image in four and three in four.
    bit = (np.arange(400) % 4 == 0)[:, None] * [1.0, -2.0]
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    assert terms(bit, np.zeros((400, 2)), draws=4000) == pytest.approx([entropy, entropy, math.inf])
    assert (
        aggregate_posterior(bit, np.zeros((400, 2)), np.random.default_rng(0))["aggregate_posterior"]
        == math.inf
    )


@pytest.mark.parametrize("narrow", [1e-5, 1e-9, 1e-300, 1e-320])
def test_deterministic_codes_are_the_limit_of_narrow_ones(narrow: float) -> None:
    # One latent of a few places, one with a width: the same draws, once with atoms and once without.
    rng = np.random.default_rng(3)
    mean = np.stack([rng.integers(4, size=500) - 1.0, rng.normal(size=500)], axis=1)
    std = np.tile([0.0, 0.5], (500, 1))
    limit = terms(mean, std)
    found = terms(mean, np.maximum(std, narrow))
    # Without a density of its own, the limit has no control variates: two estimates, each ±0.015.
    assert found[:2] == pytest.approx(limit[:2], abs=0.08)
    assert found[2] > 1 and limit[2] == math.inf  # noqa: PT018


def test_both_metrics_are_one_estimate() -> None:
    found = aggregate_posterior(MU, SIGMA, np.random.default_rng(7))["aggregate_posterior"]
    assert found == pytest.approx(sum(terms(MU, SIGMA, 7)[1:]), rel=1e-12)


def test_the_gaussian_part_is_at_most_the_whole() -> None:
    found = aggregate_posterior(MU, SIGMA, np.random.default_rng(0), draws=4000)
    m, c = MU.mean(axis=0), np.cov(MU.T, bias=True) + np.diag((SIGMA**2).mean(axis=0))
    expected = 0.5 * (np.trace(c) + m @ m - 2 - math.log(np.linalg.det(c)))
    assert found["aggregate_posterior_gaussian"] == pytest.approx(expected, rel=1e-12)
    assert found["aggregate_posterior_gaussian"] < sum(exact(MU, SIGMA)[1:])
    assert found["aggregate_posterior_largest_mean"] == pytest.approx(np.abs(m).max())
    assert found["aggregate_posterior_largest_variance_error"] == pytest.approx(np.abs(np.diag(c) - 1).max())
    assert found["aggregate_posterior_largest_correlation"] == pytest.approx(
        abs(c[0, 1]) / math.sqrt(c[0, 0] * c[1, 1])
    )


def test_singular_moments_are_infinitely_far() -> None:
    mean = np.arange(10.0)[:, None] * [1, 1, 0]
    found = aggregate_posterior(mean, np.zeros((10, 3)), np.random.default_rng(0))
    assert found["aggregate_posterior_gaussian"] == math.inf
    assert found["aggregate_posterior_largest_correlation"] == pytest.approx(
        1
    )  # not of the one that never moves


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = terms(MU, SIGMA, draws=50)
    monkeypatch.setattr(average_kl, "_BLOCK", 15)
    assert terms(MU, SIGMA, draws=50) == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("name", ["draws", "components"])
@pytest.mark.parametrize("value", [0, 2.5, True])
def test_settings_are_checked(name: str, value: object) -> None:
    for metric in (kl_decomposition, aggregate_posterior):
        with pytest.raises(ValueError, match=f"{name}: expected an integer ≥ 1"):
            metric(MU, SIGMA, np.random.default_rng(0), **{name: value})

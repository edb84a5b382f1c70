"""Divergences against closed forms, and estimators against exact expectations."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from vaecore.divergences import (
    ESTIMATORS,
    decomposition,
    density_ratio,
    gaussian_kl,
    gaussian_log_prob,
    permuted,
    stratified_log_weights,
    weighted_log_weights,
)


def log_prior(z: torch.Tensor) -> torch.Tensor:
    return Normal(0.0, 1.0).log_prob(z).sum(-1)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def test_gaussian_kl_and_densities_are_torchs(generator):
    mean, log_variance, z = torch.randn(3, 50, 4, generator=generator)
    normal = Normal(mean, (0.5 * log_variance).exp())
    torch.testing.assert_close(
        gaussian_kl(mean, log_variance), kl_divergence(normal, Normal(0.0, 1.0)), rtol=1e-5, atol=1e-6
    )
    torch.testing.assert_close(
        gaussian_log_prob(z, mean, log_variance), normal.log_prob(z), rtol=1e-5, atol=1e-5
    )


def test_gaussian_kl_keeps_its_digits_near_the_prior():
    log_variance = torch.tensor(1e-4)
    # ½ (e^v - v - 1) = v² / 4 + O(v³)
    assert gaussian_kl(torch.zeros(()), log_variance).item() == pytest.approx(2.5e-9, rel=2e-2)


@pytest.mark.parametrize(("B", "N"), [(2, 2), (2, 100), (5, 5), (64, 737280)])
def test_stratified_weights_are_the_papers(B, N):
    w = stratified_log_weights(B, N).double().exp()
    torch.testing.assert_close(w.diagonal(), torch.full((B,), 1 / N).double(), rtol=1e-5, atol=0)
    torch.testing.assert_close(w.sum(1), torch.ones(B).double(), rtol=1e-5, atol=0)
    torch.testing.assert_close(w.sum(0), torch.ones(B).double(), rtol=1e-5, atol=0)


@pytest.mark.parametrize("row", range(3))
def test_stratified_estimates_are_unbiased(row, generator):
    """Over every ordered batch of 3 of 5 images, the estimate of q(z) averages to q(z)."""
    N, B = 5, 3
    q = torch.rand(N, generator=generator).double()  # q(z | x_n) for one z, drawn from image 0
    w = stratified_log_weights(B, N).double().exp()
    batches = [batch for batch in itertools.permutations(range(N), B) if batch[row] == 0]
    estimates = [w[row] @ q[list(batch)] for batch in batches]
    # weights are float32
    assert torch.stack(estimates).mean().item() == pytest.approx(q.mean().item(), rel=1e-5)


def test_weighted_weights_are_the_papers():
    torch.testing.assert_close(weighted_log_weights(4, 100).exp(), torch.full((4, 4), 1 / 400))


@pytest.mark.parametrize(("B", "N"), [(1, 10), (11, 10)])
def test_stratified_needs_a_batch_within_the_data_set(B, N):
    with pytest.raises(ValueError, match="weighted"):
        stratified_log_weights(B, N)


@pytest.mark.parametrize("estimator", sorted(ESTIMATORS))
def test_the_decomposition_adds_up_to_the_rate(estimator, generator):
    B, N, L = 500, 5000, 6
    mean = torch.randn(B, L, generator=generator)
    log_variance = torch.randn(B, L, generator=generator) - 1
    z = mean + (0.5 * log_variance).exp() * torch.randn(B, L, generator=generator)
    parts = decomposition(z, mean, log_variance, log_prior(z), ESTIMATORS[estimator](B, N))
    one_sample = gaussian_log_prob(z, mean, log_variance).sum(1) - log_prior(z)
    # sums of terms up to 50 nats, in float32
    torch.testing.assert_close(sum(parts), one_sample, rtol=1e-4, atol=1e-4)
    rate = gaussian_kl(mean, log_variance).sum(1)
    # the one-sample estimate scatters around the closed form: four standard errors
    assert (one_sample - rate).mean().abs() < 4 * (one_sample - rate).std() / math.sqrt(B)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_total_correlation_is_the_gaussian_closed_form(rho, generator):
    """Codes N(0, Σ) with unit variances have TC = -½ log det Σ; Σ is that of means plus posterior noise."""
    B, N, L, spread = 2000, 100_000, 3, 0.3
    sigma = torch.full((L, L), rho).fill_diagonal_(1.0)
    noise = min(spread, (1 - rho) / 2)  # the posterior's variance, below the smallest eigenvalue 1 - ρ
    factor = torch.linalg.cholesky(sigma - noise * torch.eye(L))
    mean = torch.randn(B, L, generator=generator) @ factor.T
    log_variance = torch.full((B, L), math.log(noise))
    z = mean + math.sqrt(noise) * torch.randn(B, L, generator=generator)
    exact = -0.5 * torch.logdet(sigma).item()
    # A mixture of 2000 overlapping Gaussians estimates log q(z) to about 0.02 on average (its tails are thin
    # in samples, which lowers log q there), and the mean of 2000 log ratios has a standard error of 0.03 at
    # most.
    _, stratified, _ = decomposition(z, mean, log_variance, log_prior(z), stratified_log_weights(B, N))
    assert stratified.mean().item() == pytest.approx(exact, abs=0.1)
    # minibatch-weighted sampling has that and the offset of its weights, (L - 1) log N
    _, weighted, _ = decomposition(z, mean, log_variance, log_prior(z), weighted_log_weights(B, N))
    assert weighted.mean().item() - (L - 1) * math.log(N) == pytest.approx(exact, abs=0.1)


def test_small_batches_do_not_make_total_correlation_negative(generator):
    """Adding the weight once per latent would shift the joint, and TC, by (L - 1) log 1/63 = -37 nats."""
    B, N, L, batches = 64, 737_280, 10, 200
    shared = torch.randn(batches, B, 1, generator=generator)
    mean = 0.8 * shared + 0.6 * torch.randn(batches, B, L, generator=generator)
    z = mean + math.sqrt(0.1) * torch.randn(batches, B, L, generator=generator)
    log_variance, log_w = torch.full((B, L), math.log(0.1)), stratified_log_weights(B, N)
    each = [
        decomposition(z[i], mean[i], log_variance, log_prior(z[i]), log_w)[1].mean() for i in range(batches)
    ]
    found = torch.stack(each)
    # with 64 points in 10 dimensions it is noisy and far below the truth of 4.7 nats, but positive on average
    assert found.mean() > 4 * found.std() / math.sqrt(batches)


def test_density_ratio_is_the_optimal_critics_log_odds():
    p = torch.tensor([[0.8, 0.2], [0.5, 0.5]])
    torch.testing.assert_close(density_ratio(p.log()), torch.tensor([math.log(4), 0.0]))


def test_permuted_codes_keep_their_marginals_and_lose_their_ties(generator):
    z = torch.randn(4000, 1, generator=generator).repeat(1, 3)
    shuffled = permuted(z, torch.rand(z.shape, generator=generator))
    torch.testing.assert_close(shuffled.sort(0).values, z.sort(0).values, rtol=0, atol=0)
    off_diagonal = torch.corrcoef(shuffled.T) - torch.eye(3)
    assert off_diagonal.abs().max() < 4 / math.sqrt(4000)  # four standard errors

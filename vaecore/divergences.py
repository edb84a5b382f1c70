"""Divergences between posteriors, prior and aggregate posterior, in nats.

Rate of a Gaussian posterior, per latent:

    KL[N(μ, σ²) ‖ N(0, 1)] = ½ (μ² + σ² - log σ² - 1)

Its decomposition over the aggregate posterior q(z) = 1/N Σ_n q(z | x_n) of a data set of N images:

    E_x KL[q(z|x) ‖ p(z)]  =  E log q(z|x)/q(z)  +  E log q(z)/Π_l q(z_l)  +  Σ_l E log q(z_l)/p(z_l)
                              mutual information    total correlation         dimension-wise KL

The batch of B images, z_i drawn from q(z | x_i), estimates log q(z_i) and log q(z_il) as log Σ_j w_ij q(z_i |
x_j) with

    weighted     w_ij = 1 / (N B), minibatch-weighted sampling: a lower bound in expectation. Its rows sum to
                 1 / N, which counts -log N in the joint and in each marginal: its total correlation is too
                 high by (L - 1) log N where the posteriors overlap. That is a constant: the gradient is that
                 of the plain batch estimate.
    stratified   with M = B - 1:  w_ii = 1 / N,  w_i(i+1) = (N - M) / (N M),  every other w_ij = 1 / M. Each
                                                 row sums to one, and
                 Σ_j w_ij q(z_i | x_j) has expectation q(z_i) when the x_j, j ≠ i, are drawn uniformly from
                 the others

The weight belongs to the pair (i, j): it is added once to log q(z_i | x_j) for the joint, and once to every
log q(z_il | x_j) for the marginals.

The density ratio of FactorVAE estimates the total correlation from a critic's two logits instead, for codes
from the joint: log q(z) / Π_l q(z_l) = logit_joint - logit_product. Codes from the product are the joint's,
each latent permuted within the batch.

    z, μ, log σ²         [B, L]
    log q(z_il | x_j)    [B, B, L] (i, j, l)
    log w                [B, B]
    results              [B] unless a function says otherwise

R. T. Q. Chen, X. Li, R. Grosse, D. Duvenaud, Isolating Sources of Disentanglement in Variational
Autoencoders, 2018, arXiv:1802.04942 (appendix C).

H. Kim, A. Mnih, Disentangling by Factorising, 2018, arXiv:1802.05983.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = [
    "ESTIMATORS",
    "decomposition",
    "density_ratio",
    "gaussian_kl",
    "gaussian_log_prob",
    "permuted",
    "stratified_log_weights",
    "weighted_log_weights",
]


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL[N(mean, exp(log_variance)) ‖ N(0, 1)] in nats for every latent: the shape of ``mean``."""
    # expm1 keeps the digits that exp(v) - 1 loses near v = 0, where unused latents live
    return 0.5 * (mean.square() + torch.expm1(log_variance) - log_variance)


def gaussian_log_prob(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """log N(z; mean, exp(log_variance)) in nats for every latent; the arguments broadcast."""
    return -0.5 * ((z - mean).square() * torch.exp(-log_variance) + (log_variance + math.log(2 * math.pi)))


def stratified_log_weights(batch_size: int, dataset_size: int, device: torch.device | None = None) -> Tensor:
    """log w_ij [B, B] of minibatch-stratified sampling. Needs 2 ≤ B ≤ N, or raises a ValueError."""
    B, N, M = batch_size, dataset_size, batch_size - 1
    if not 2 <= B <= N:
        raise ValueError(
            "minibatch-stratified sampling needs at least 2 images per batch "
            f"and at most the data set's {N}, got a batch of {B}: "
            "change batch_size, or use the estimator 'weighted'"
        )
    log_w = torch.full((B, B), -math.log(M), device=device)
    log_w.fill_diagonal_(-math.log(N))
    last = math.log((N - M) / (N * M))
    log_w.diagonal(1).fill_(last)
    log_w[B - 1, 0].fill_(last)
    return log_w


def weighted_log_weights(batch_size: int, dataset_size: int, device: torch.device | None = None) -> Tensor:
    """log w_ij [B, B] of minibatch-weighted sampling."""
    return torch.full((batch_size, batch_size), -math.log(dataset_size * batch_size), device=device)


ESTIMATORS = {"stratified": stratified_log_weights, "weighted": weighted_log_weights}


def decomposition(
    z: Tensor, mean: Tensor, log_variance: Tensor, log_prior: Tensor, log_weights: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Mutual information, total correlation and dimension-wise KL: one estimate per sample, each [B].

    ``log_prior`` is log p(z) [B].
    Their sum is the one-sample estimate log q(z | x) - log p(z) of the rate, whatever the weights.
    """
    log_q = gaussian_log_prob(z[:, None], mean[None], log_variance[None])  # [B, B, L]: z_i given x_j
    joint = log_q.sum(2)  # [B, B]
    log_q_given_x = joint.diagonal()
    log_q_z = torch.logsumexp(joint + log_weights, dim=1)
    log_q_latents = torch.logsumexp(log_q + log_weights[:, :, None], dim=1).sum(1)  # Σ_l log q(z_l)
    return log_q_given_x - log_q_z, log_q_z - log_q_latents, log_q_latents - log_prior


def density_ratio(logits: Tensor) -> Tensor:
    """A critic's log q(z) / Π_l q(z_l) [B], from its logits [B, 2] for (joint, product of marginals)."""
    return logits[:, 0] - logits[:, 1]


def permuted(z: Tensor, uniform: Tensor) -> Tensor:
    """``z`` [B, L], each latent permuted within the batch by the order of ``uniform`` [B, L] in [0, 1)."""
    return z.gather(0, uniform.argsort(0))

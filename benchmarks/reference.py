"""The study's model in plain PyTorch: nn.Conv2d, autograd, torch.optim.Adam, and each objective written out.

It is independent of ``vaecore``: a peer in ``benchmarks.training`` and the reference in
``benchmarks.parity``. Its weights are interchangeable with vaecore's, for the networks "conv" (sides
divisible by 16) and "mlp".

    D = Σ_pixels BCE(x, logits),   R = ½ Σ_l (μ² + σ² - log σ² - 1),   z = μ + σ ε

    vae            mean(D + R)
    annealed_vae   mean(D) + γ |mean(R) - C|
    factor_vae     mean(D + R + γ (c_0(z) - c_1(z)))    encoder and decoder; the critic's weights are constant
                   ½ [CE(c(z), 0) + CE(c(π(z)), 1)]     critic, with its own backward pass and optimizer;
                                                        the codes are constant
    beta_tc_vae    mean(D + R + (β - 1) TC),
                   TC_i = log Σ_j w_ij Π_l q(z_il | x_j) - Σ_l log Σ_j w_ij q(z_il | x_j)

All terms are in nats and means over the batch. ``vaecore.families`` and ``vaecore.divergences`` explain the
symbols and name the papers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

__all__ = ["WITH_CRITIC", "Loop", "Model", "critic", "decoder", "encoder", "objectives", "plain_state"]

Shape = tuple[int, int, int]
Terms = dict[str, Tensor]
Noise = Mapping[str, Tensor]
Hyper = Mapping[str, float | Tensor]


def encoder(network: str, shape: Shape, latents: int) -> nn.Sequential:
    """x [B, C, H, W] -> (μ, log σ²) [B, 2 L]."""
    C, H, W = shape
    if network == "mlp":
        return nn.Sequential(
            nn.Flatten(),
            *(nn.Linear(C * H * W, 256), nn.ReLU()),
            *(nn.Linear(256, 256), nn.ReLU()),
            nn.Linear(256, 2 * latents),
        )
    return nn.Sequential(
        *(nn.Conv2d(C, 32, 4, stride=2, padding=1), nn.ReLU()),
        *(nn.Conv2d(32, 32, 4, stride=2, padding=1), nn.ReLU()),
        *(nn.Conv2d(32, 64, 2, stride=2), nn.ReLU()),
        *(nn.Conv2d(64, 64, 2, stride=2), nn.ReLU()),
        nn.Flatten(),
        *(nn.Linear(64 * (H // 16) * (W // 16), 256), nn.ReLU()),
        nn.Linear(256, 2 * latents),
    )


def decoder(network: str, shape: Shape, latents: int) -> nn.Sequential:
    """z [B, L] -> logits [B, C, H, W]."""
    C, H, W = shape
    if network == "mlp":
        return nn.Sequential(
            *(nn.Linear(latents, 256), nn.ReLU()),
            *(nn.Linear(256, 256), nn.ReLU()),
            nn.Linear(256, C * H * W),
            nn.Unflatten(1, shape),
        )
    return nn.Sequential(
        *(nn.Linear(latents, 256), nn.ReLU()),
        *(nn.Linear(256, 64 * (H // 16) * (W // 16)), nn.ReLU()),
        nn.Unflatten(1, (64, H // 16, W // 16)),
        *(nn.ConvTranspose2d(64, 64, 4, stride=2, padding=1), nn.ReLU()),
        *(nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1), nn.ReLU()),
        *(nn.ConvTranspose2d(32, 32, 4, stride=2, padding=1), nn.ReLU()),
        nn.ConvTranspose2d(32, C, 4, stride=2, padding=1),
    )


def critic(latents: int) -> nn.Sequential:
    """z [B, L] -> logits [B, 2] of (joint, product of marginals)."""
    layers: list[nn.Module] = [nn.Linear(latents, 1000), nn.LeakyReLU(0.2)]
    for _ in range(5):
        layers += [nn.Linear(1000, 1000), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Linear(1000, 2))


class Model(nn.Module):
    """Encoder, decoder, and FactorVAE's critic."""

    def __init__(self, family: str, network: str, shape: Shape, latents: int) -> None:
        super().__init__()
        self.encoder = encoder(network, shape, latents)
        self.decoder = decoder(network, shape, latents)
        self.critic = critic(latents) if family in WITH_CRITIC else None


def plain_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The ``state_dict`` of a vaecore family with the names of ``Model``."""
    return {
        name.removeprefix("autoencoder.").replace(".convolution.", "."): weight
        for name, weight in state.items()
    }


def objectives(
    family: str,
    model: Model,
    x: Tensor,
    noise: Noise,
    hyper: Hyper,
    dataset_size: int,
) -> Terms:
    """Batch means []: loss, distortion, rate, and the family's own terms; the critic minimises
    ``critic_objective``.

    ``noise``: "posterior" is standard normal [B, L]; for FactorVAE "permutation" is uniform [B, L], and its
    order permutes each latent.
    """
    mean, log_variance = model.encoder(x).float().chunk(2, dim=1)
    z = mean + torch.exp(0.5 * log_variance) * noise["posterior"]
    logits = model.decoder(z).float()
    distortion = F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)
    rate = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum(1)
    terms = {"distortion": distortion.mean(), "rate": rate.mean()}
    return OBJECTIVES[family](model, Codes(z, mean, log_variance), terms, noise, hyper, dataset_size)


class Codes(NamedTuple):
    z: Tensor
    mean: Tensor
    log_variance: Tensor


def _vae(model: Model, codes: Codes, terms: Terms, noise: Noise, hyper: Hyper, N: int) -> Terms:
    return {"loss": terms["distortion"] + terms["rate"], **terms}


def _annealed_vae(model: Model, codes: Codes, terms: Terms, noise: Noise, hyper: Hyper, N: int) -> Terms:
    gap = (terms["rate"] - hyper["capacity"]).abs()
    return {"loss": terms["distortion"] + hyper["gamma"] * gap, **terms, "capacity_gap": gap}


def _beta_tc_vae(model: Model, codes: Codes, terms: Terms, noise: Noise, hyper: Hyper, N: int) -> Terms:
    correlation = total_correlation(*codes, N).mean()
    loss = terms["distortion"] + terms["rate"] + (hyper["beta"] - 1) * correlation
    return {"loss": loss, **terms, "total_correlation": correlation}


def _factor_vae(model: Model, codes: Codes, terms: Terms, noise: Noise, hyper: Hyper, N: int) -> Terms:
    assert model.critic is not None
    z = codes.z
    held = {name: weight.detach() for name, weight in model.critic.named_parameters()}
    verdict = functional_call(model.critic, held, (z,)).float()
    correlation = (verdict[:, 0] - verdict[:, 1]).mean()
    seen = z.detach()
    shuffled = seen.gather(0, noise["permutation"].argsort(0))
    joint = torch.zeros(len(z), dtype=torch.int64, device=z.device)
    critic_objective = 0.5 * (
        F.cross_entropy(model.critic(seen).float(), joint)
        + F.cross_entropy(model.critic(shuffled).float(), joint + 1)
    )
    return {
        "loss": terms["distortion"] + terms["rate"] + hyper["gamma"] * correlation,
        **terms,
        "total_correlation": correlation,
        "critic_objective": critic_objective,
    }


OBJECTIVES: dict[str, Callable[..., Terms]] = {
    "vae": _vae,
    "annealed_vae": _annealed_vae,
    "beta_tc_vae": _beta_tc_vae,
    "factor_vae": _factor_vae,
}
WITH_CRITIC = {"factor_vae"}


def total_correlation(z: Tensor, mean: Tensor, log_variance: Tensor, dataset_size: int) -> Tensor:
    """TC [B] of codes z [B, L], by minibatch-stratified sampling over ``dataset_size`` images."""
    log_weights = stratified_log_weights(len(z), dataset_size, z.device)
    scaled = (z[:, None] - mean[None]) / torch.exp(0.5 * log_variance)[None]  # [B, B, L]: z_i seen from x_j
    log_q = -0.5 * (scaled**2 + log_variance[None] + math.log(2 * math.pi))
    log_joint = torch.logsumexp(log_weights + log_q.sum(2), 1)
    log_marginals = torch.logsumexp(log_weights[:, :, None] + log_q, 1)
    return log_joint - log_marginals.sum(1)


@cache
def stratified_log_weights(B: int, N: int, device: torch.device) -> Tensor:
    """log w_ij [B, B]."""
    others = B - 1
    weights = torch.full((B, B), 1 / others)
    for i in range(B):
        weights[i, i] = 1 / N
        weights[i, (i + 1) % B] = (N - others) / (N * others)
    return weights.log().to(device)


class Loop:
    """Training steps of a ``Model``: zero_grad, forward, backward, step."""

    def __init__(
        self, family: str, model: Model, dataset_size: int, learning_rate: float, *, bfloat16: bool = False
    ) -> None:
        self.family, self.model, self.dataset_size = family, model, dataset_size
        self.device = next(model.parameters()).device
        self.bfloat16 = bfloat16
        players = [*model.encoder.parameters(), *model.decoder.parameters()]
        self.optimizer = torch.optim.Adam(players, lr=learning_rate)
        self.critic_optimizer = (
            torch.optim.Adam(model.critic.parameters(), lr=1e-4, betas=(0.5, 0.9)) if model.critic else None
        )

    def step(
        self, x: Tensor, noise: Mapping[str, Tensor], hyper: Mapping[str, float | Tensor]
    ) -> dict[str, Tensor]:
        """Take one step on the batch x; the terms before the step."""
        autocast = torch.autocast(self.device.type, torch.bfloat16) if self.bfloat16 else nullcontext()
        with autocast:
            terms = objectives(self.family, self.model, x, noise, hyper, self.dataset_size)
        self.optimizer.zero_grad()
        terms["loss"].backward()
        self.optimizer.step()
        if self.critic_optimizer is not None:
            self.critic_optimizer.zero_grad()
            terms["critic_objective"].backward()
            self.critic_optimizer.step()
        return {name: value.detach() for name, value in terms.items()}

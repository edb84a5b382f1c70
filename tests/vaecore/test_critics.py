"""One pass of the critic gives each player the result of two passes with stop-gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from vaecore.critics import critic, log_ratios

B, L, WIDTH = 12, 3, 20


def by_stop_gradients(network: nn.Module, z: Tensor, permuted: Tensor) -> tuple[Tensor, Tensor]:
    """The definition: frozen weights for the codes' player, detached codes for the critic's."""
    frozen = {name: weight.detach() for name, weight in network.named_parameters()}
    for_codes = functional_call(network, frozen, (z,))
    for_critic = network(torch.cat([z.detach(), permuted.detach()]))
    return for_codes[:, 0] - for_codes[:, 1], for_critic[:, 0] - for_critic[:, 1]


@pytest.fixture
def players() -> tuple[nn.Module, Tensor, Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = critic(L, WIDTH).double()
        for weight in network.parameters():
            weight.data.add_(0.1 * torch.randn_like(weight))  # biases that are not zero
        return network, *torch.randn(2, B, L, dtype=torch.float64).unbind()


@pytest.mark.parametrize("player", ["both", "codes", "critic"])
def test_ratios_and_gradients_are_those_of_two_passes(players, player):
    network, z, permuted = players
    results = []
    for ratios in (log_ratios, by_stop_gradients):
        codes = z.clone().requires_grad_()
        for_codes, for_critic = ratios(network, codes, permuted)
        objectives = {
            "codes": 3 * for_codes.square().sum(),
            "critic": nn.functional.softplus(for_critic).sum(),
        }
        loss = sum(objectives.values()) if player == "both" else objectives[player]
        gradients = torch.autograd.grad(loss, [codes, *network.parameters()], allow_unused=True)
        results.append([for_codes.double(), for_critic.double(), *gradients])
    ours, theirs = results
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine is None) == (other is None)
        if mine is not None:
            # log ratios are float32 whatever the network computes in
            torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


def test_bfloat16_is_no_farther_from_the_truth_than_two_passes(players):
    network, z, permuted = players
    exact, errors = None, []
    for ratios, precise in ((by_stop_gradients, True), (by_stop_gradients, False), (log_ratios, False)):
        critic_ = network if precise else network.float()
        codes = (z if precise else z.float()).clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=not precise):
            for_codes, for_critic = ratios(critic_, codes, permuted.to(codes))
        loss = for_codes.float().sum() + nn.functional.softplus(for_critic.float()).sum()
        gradients = torch.cat(
            [g.flatten().double() for g in torch.autograd.grad(loss, [codes, *critic_.parameters()])]
        )
        exact = gradients if exact is None else exact
        errors.append(((gradients - exact).norm() / exact.norm()).item())
    _, two_passes, ours = errors
    assert 0 < two_passes < 0.05  # seven layers of bfloat16 products, each within 0.4 %
    assert ours <= 1.5 * two_passes

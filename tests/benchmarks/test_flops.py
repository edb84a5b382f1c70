"""The count of operations against PyTorch's own counter of a step that runs."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import flops, study_model
from benchmarks.reference import Loop, Model
from vaecore.critics import critic, log_ratios

B = 4


@pytest.mark.parametrize("side", [16, 64])
@pytest.mark.parametrize("family", study_model.FAMILIES)
def test_count_is_what_pytorch_counts(family: str, side: int):
    shape = (1, side, side)
    loop = Loop(family, Model(family, "conv", shape, 10), dataset_size=100, learning_rate=1e-4)
    noise = {"posterior": torch.randn(B, 10), "permutation": torch.rand(B, 10)}
    hyper = {"gamma": 1.0, "capacity": 1.0, "beta": 2.0}
    with FlopCounterMode(display=False) as counter:
        loop.step(torch.rand(B, *shape), noise, hyper)
    assert flops.step(family, B, 10, shape) == counter.get_total_flops()


def test_our_critic_needs_the_operations_of_one_pass():
    network = critic(10)
    z, permuted = torch.randn(2, B, 10).unbind()
    with FlopCounterMode(display=False) as counter:
        for_codes, for_critic = log_ratios(network, z.requires_grad_(), permuted)
        (for_codes.sum() + for_critic.sum()).backward()
    without = flops.step("vae", B)
    assert flops.step("factor_vae", B, one_pass=True) - without == counter.get_total_flops()
    assert flops.step("factor_vae", B) - without > counter.get_total_flops()


def test_a_study_model_s_step_is_about_a_hundred_million_operations_per_image():
    assert 50e6 < flops.step("vae", 64) / 64 < 200e6

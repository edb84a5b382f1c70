"""The plain modules and objectives against vaecore's: two ways to write the same mathematics."""

from __future__ import annotations

import pytest
import torch

from benchmarks import reference, study_model
from vaecore.batch import Batch
from vaecore.noise import draw

N = 1000
B = 6


@pytest.mark.parametrize(("network", "side"), [("conv", 16), ("conv", 64), ("mlp", 8)])
@pytest.mark.parametrize("name", study_model.FAMILIES)
def test_objectives_equal_the_family_s_terms(name: str, network: str, side: int):
    shape = (1, side, side)
    family = study_model.build(name, N, seed=1, image_shape=shape, network=network)
    model = reference.Model(name, network, shape, study_model.LATENTS)
    model.load_state_dict(reference.plain_state(family.state_dict()))
    generator = torch.Generator().manual_seed(2)
    x = torch.randint(2, (B, *shape), generator=generator).float()
    noise = draw(family.noise(B), generator)
    hyper = {"gamma": torch.tensor(7.0), "capacity": torch.tensor(3.0), "beta": torch.tensor(4.0)}

    theirs = reference.objectives(name, model, x, noise, hyper, N)
    terms = {key: value.mean() for key, value in family.terms(Batch(x), hyper, noise).items()}

    pairs = {key: (theirs[key], terms[key]) for key in theirs if key not in ("loss", "critic_objective")}
    assert {"distortion", "rate"} <= set(pairs)
    pairs["loss"] = (theirs["loss"] + theirs.get("critic_objective", 0), terms["loss"])
    if name in reference.WITH_CRITIC:
        pairs["critic_objective"] = (theirs["critic_objective"], terms["critic_loss"])
    for key, (one, other) in pairs.items():
        # float32: sums over thousands of pixels, in another order
        torch.testing.assert_close(
            one, other, rtol=2e-5, atol=2e-5, msg=lambda text, key=key: f"{key}: {text}"
        )


@pytest.mark.parametrize("name", study_model.FAMILIES)
def test_a_plain_model_holds_exactly_the_family_s_weights(name: str):
    family = study_model.build(name, N, seed=0)
    model = reference.Model(name, "conv", study_model.IMAGE_SHAPE, study_model.LATENTS)
    state = reference.plain_state(family.state_dict())
    assert {key: value.shape for key, value in state.items()} == {
        key: value.shape for key, value in model.state_dict().items()
    }


def test_stratified_weights_sum_to_one_in_every_row():
    weights = reference.stratified_log_weights(8, 50, torch.device("cpu")).exp()
    torch.testing.assert_close(weights.sum(1), torch.ones(8))
    assert weights.diagonal().tolist() == pytest.approx([1 / 50] * 8)

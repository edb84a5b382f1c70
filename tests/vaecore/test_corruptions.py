"""Every corruption changes what the encoder sees in training; evaluation sees clean images."""

from __future__ import annotations

import pytest
import torch

from tests.vaecore.digits import digits, held_out, learn
from tests.vaecore.small import batch, encode, evaluate, make
from vaecore.batch import Batch
from vaecore.corruptions import make as make_corruption
from vaecore.corruptions import names
from vaecore.families import names as families
from vaecore.noise import draw

EXAMPLES = {"none": "none", "noise": {"name": "noise", "sigma": 0.5}}


def test_every_corruption_has_an_example():
    assert sorted(EXAMPLES) == names()


@pytest.mark.parametrize("name", names())
def test_a_corrupted_image_has_its_shape(name):
    corruption, x = make_corruption(EXAMPLES[name]), batch().x
    noise = draw(corruption.noise(tuple(x.shape)), torch.Generator().manual_seed(0))
    assert corruption(x, noise).shape == x.shape


def test_noise_is_gaussian_of_its_width():
    corruption, x = make_corruption(EXAMPLES["noise"]), torch.zeros(50, 3, 20, 20)
    seen = corruption(x, draw(corruption.noise(tuple(x.shape)), torch.Generator().manual_seed(0)))
    # 60,000 numbers: standard errors of 0.002 and 0.0015
    assert seen.mean().item() == pytest.approx(0, abs=0.01)
    assert seen.std().item() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("name", families())
def test_no_noise_is_no_corruption(name):
    still, plain = make(name, corruption={"name": "noise", "sigma": 0}), make(name)
    given = batch()
    noise = draw(still.noise(len(given.x)), torch.Generator().manual_seed(1))
    hyper = {key: torch.tensor(2.0) for key, each in still.options.items() if each.scheduled}
    torch.testing.assert_close(
        still.terms(given, hyper, noise), plain.terms(given, hyper, noise), rtol=0, atol=0
    )


@pytest.mark.parametrize("name", families())
def test_training_sees_it_and_evaluation_does_not(name):
    noisy, plain, given = make(name, corruption=EXAMPLES["noise"]), make(name), batch()
    assert not torch.allclose(evaluate(noisy, given)["distortion"], evaluate(plain, given)["distortion"])
    torch.testing.assert_close(encode(noisy, given), encode(plain, given), rtol=0, atol=0)


def test_a_denoising_autoencoder_removes_noise():
    """Mean squared errors at σ = 0.5 on held-out digits: 0.251 of noisy images, 0.070 of ``ae``'s
    reconstructions, 0.031 of the denoising autoencoder's."""
    clean = digits().batch(held_out().nonzero()[:, 0]).x
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    errors = {}
    for name in ("none", "noise"):
        family, _ = learn("ae", steps=2000, corruption=EXAMPLES[name])
        with torch.inference_mode():
            errors[name] = (family.reconstruct(Batch(clean + 0.5 * noise)) - clean).square().mean().item()
    assert errors["noise"] < 0.6 * errors["none"]

"""Posteriors sample from their densities, which are torch's."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Independent, Normal

from vaecore.noise import draw
from vaecore.posteriors import POSTERIORS, names
from vaecore.posteriors.diagonal_gaussian import DiagonalGaussian
from vaecore.posteriors.dirac import Dirac

B, L, K = 3, 4, 5


def made(name: str):
    cls = POSTERIORS.cls(name)
    output = torch.randn(B, L * cls.outputs_per_latent, generator=torch.Generator().manual_seed(0))
    return cls(output), output


@pytest.mark.parametrize("name", names())
def test_samples_have_the_shape_of_their_noise(name):
    posterior, _ = made(name)
    noise = draw(posterior.noise(B, L), torch.Generator().manual_seed(1))
    z = posterior.sample(noise)
    assert z.shape == posterior.mean.shape == posterior.std.shape == (B, L)
    assert posterior.log_prob(z).shape == (B,)
    assert torch.equal(
        posterior.sample({key: torch.zeros_like(each) for key, each in noise.items()}), posterior.mean
    )


def test_a_gaussian_is_torchs():
    gaussian, output = made("diagonal_gaussian")
    assert isinstance(gaussian, DiagonalGaussian)
    noise = torch.randn(K, B, L, generator=torch.Generator().manual_seed(1))
    z = gaussian.sample({"posterior": noise})
    torch.testing.assert_close(z, output[:, :L] + (0.5 * output[:, L:]).exp() * noise)
    expected = Independent(Normal(output[:, :L], (0.5 * output[:, L:]).exp()), 1)
    torch.testing.assert_close(gaussian.log_prob(z), expected.log_prob(z), rtol=1e-5, atol=1e-5)


def test_a_point_is_where_it_is():
    dirac, output = made("dirac")
    assert isinstance(dirac, Dirac)
    assert not dirac.std.any()
    assert torch.equal(dirac.sample({}), output)
    assert dirac.log_prob(output).isposinf().all()
    assert dirac.log_prob(output + 1).isneginf().all()

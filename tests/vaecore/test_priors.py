"""Priors against torch's distributions, and rates against closed forms and samples."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal, kl_divergence

from tests.vaecore.digits import learn
from tests.vaecore.small import PARTS, B, L, batch, make
from vaecore.families import family_class
from vaecore.families import names as families
from vaecore.noise import draw
from vaecore.priors import names

OWNER = {family_class(name).prior: name for name in families()}
"""Prior -> a family that has it."""


def test_every_prior_is_some_familys():
    assert set(names()) <= OWNER.keys()


def distribution(name: str, family) -> torch.distributions.Distribution:
    """The prior as a distribution of torch."""
    if name == "standard_normal":
        return Independent(Normal(torch.zeros(L), torch.ones(L)), 1)
    mixture = family.autoencoder.posterior_of(family.autoencoder.prior.logits.sigmoid())
    parts = Independent(Normal(mixture.mean, mixture.std), 1)
    return MixtureSameFamily(Categorical(torch.ones(PARTS["components"])), parts)


@pytest.mark.parametrize("name", names())
def test_log_prob_is_the_explicit_density(name):
    family = make(OWNER[name])
    z = 2 * torch.randn(7, B, L, generator=torch.Generator().manual_seed(0))
    found = family.autoencoder.prior.log_prob(z)
    torch.testing.assert_close(found, distribution(name, family).log_prob(z), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", names())
def test_samples_are_of_that_density(name):
    """Mean and variance of 20,000 codes, within five standard errors; their mean log-density is that of
    torch's samples."""
    family, n = make(OWNER[name]), 20_000
    prior, expected = family.autoencoder.prior, distribution(name, family)
    z = prior.sample(draw(prior.noise(n), torch.Generator().manual_seed(0)))
    assert z.shape == (n, L)
    spread = expected.variance.sqrt()
    assert ((z.mean(0) - expected.mean).abs() < 5 * spread / math.sqrt(n)).all()
    torch.testing.assert_close(z.var(0), expected.variance, rtol=0.1, atol=0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = expected.log_prob(expected.sample((n,)))
    ours = prior.log_prob(z)
    assert abs(ours.mean() - theirs.mean()) < 5 * math.sqrt(2 / n) * theirs.std()


@pytest.mark.parametrize("name", names())
def test_the_rate_is_the_divergence(name):
    """Compared with the closed form, if there is one, and with 4,000 samples, within five standard errors."""
    family, k = make(OWNER[name]), 4000
    autoencoder = family.autoencoder
    posterior = autoencoder.posterior_of(batch().x)
    z = posterior.sample({"posterior": torch.randn(k, B, L, generator=torch.Generator().manual_seed(0))})
    ratios = posterior.log_prob(z) - autoencoder.prior.log_prob(z)  # [k, B]
    closed = autoencoder.prior.kl(posterior)
    assert (closed is None) == (name != "standard_normal")
    if closed is not None:
        q = Normal(posterior.mean, posterior.std)
        torch.testing.assert_close(closed, kl_divergence(q, Normal(0.0, 1.0)), rtol=1e-4, atol=1e-6)
        assert ((closed.sum(1) - ratios.mean(0)).abs() < 5 * ratios.std(0) / math.sqrt(k)).all()
    else:
        one = autoencoder.prior.rate(posterior, z[0])
        torch.testing.assert_close(one[:, 0], ratios[0])
        assert (ratios.mean(0) > -5 * ratios.std(0) / math.sqrt(k)).all(), "a divergence is not negative"


def test_pseudo_inputs_are_images_and_learn():
    family = make("vamp_vae")
    logits = family.autoencoder.prior.logits
    assert logits.shape == (PARTS["components"], 1, 8, 8)
    start = logits.sigmoid()
    assert start.mean().item() == pytest.approx(0.5, abs=0.1), (
        "320 uniform numbers: a standard error of 0.016"
    )
    assert 0 < start.min() < 0.05 < 0.95 < start.max() < 1


def test_a_vamp_prior_bounds_the_likelihood_more_tightly():
    """−ELBO on digits after 3,000 steps: 23.5 nats with 100 pseudo-inputs, 24.0 with N(0, I)."""
    plain, vamp = (
        learn(name, steps=3000, **hyper)[1]
        for name, hyper in (("vae", {}), ("vamp_vae", {"components": 100}))
    )
    assert vamp[-1][1]["loss"] < plain[-1][1]["loss"] - 0.1

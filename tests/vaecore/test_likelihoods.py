"""Log-likelihoods are scipy's, constants included."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch

from vaecore.likelihoods import make, names

SHAPE = (6, 3, 5, 5)
EXAMPLES = ["bernoulli", {"name": "gaussian", "sigma": 0.1}, {"name": "gaussian", "sigma": "learned"}]
RNG = np.random.default_rng(0)
PARAMS = RNG.normal(size=SHAPE) * 3


def total(log_prob: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(log_prob.reshape(len(log_prob), -1).sum(1)).float()


def test_every_likelihood_has_an_example():
    assert names() == sorted(
        {example if isinstance(example, str) else example["name"] for example in EXAMPLES}
    )


def test_bernoulli_is_scipys():
    x = RNG.random(SHAPE) < 0.5
    expected = total(scipy.stats.bernoulli.logpmf(x, scipy.special.expit(PARAMS)))
    found = make("bernoulli").log_prob(torch.from_numpy(x).float(), torch.from_numpy(PARAMS).float())
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)


def test_bernoulli_on_grey_is_the_expectation_over_binarisations():
    x, params = torch.rand(SHAPE), torch.from_numpy(PARAMS).float()
    binary = torch.distributions.Bernoulli(logits=params)
    expected = (
        (x * binary.log_prob(torch.ones(())) + (1 - x) * binary.log_prob(torch.zeros(()))).flatten(1).sum(1)
    )
    torch.testing.assert_close(make("bernoulli").log_prob(x, params), expected, rtol=1e-5, atol=0)


def test_bernoulli_survives_extreme_logits():
    x = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)
    log_prob = make("bernoulli").log_prob(x, torch.full((2, 1, 1, 1), 1e4))
    torch.testing.assert_close(log_prob, torch.tensor([-1e4, 0.0]))


@pytest.mark.parametrize("sigma", [0.1, 1.7, 30])
def test_gaussian_is_scipys(sigma):
    x = RNG.random(SHAPE)
    expected = total(scipy.stats.norm.logpdf(x, PARAMS, sigma))
    found = make({"name": "gaussian", "sigma": sigma}).log_prob(
        torch.from_numpy(x).float(), torch.from_numpy(PARAMS).float()
    )
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)


def test_a_learned_sigma_is_optimal_at_the_root_mean_square():
    gaussian = make({"name": "gaussian", "sigma": "learned"})
    x, params = torch.rand(SHAPE), torch.from_numpy(PARAMS).float()
    with torch.no_grad():
        gaussian.log_sigma.copy_((x - params).square().mean().sqrt().log())
    (gradient,) = torch.autograd.grad(gaussian.log_prob(x, params).mean(), gaussian.log_sigma)
    assert abs(gradient) < 1e-3 * x[0].numel(), "its two terms are the number of pixels each"
    expected = total(scipy.stats.norm.logpdf(x, params, gaussian.log_sigma.exp().item()))
    torch.testing.assert_close(gaussian.log_prob(x, params), expected, rtol=1e-5, atol=0)
    assert gaussian.terms()["sigma"].item() == pytest.approx(gaussian.log_sigma.exp().item())


@pytest.mark.parametrize("value", EXAMPLES, ids=str)
def test_half_precision_outputs_are_evaluated_in_float32(value):
    chosen = make(value)
    x, params = torch.rand(SHAPE), torch.from_numpy(PARAMS).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        log_prob, mean = chosen.log_prob(x, params), chosen.mean(params)
    assert log_prob.dtype == mean.dtype == torch.float32
    torch.testing.assert_close(log_prob, chosen.log_prob(x, params.float()))
    assert log_prob.shape == SHAPE[:1]
    assert mean.shape == SHAPE


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("laplace", "bernoulli, gaussian"),
        ("gaussian", "'sigma'"),
        ({"name": "gaussian", "sigma": 0}, "got 0"),
        ({"name": "gaussian", "sigma": "lerned"}, "lerned"),
        (3, "a likelihood is a name"),
        ({"name": "bernoulli", "sigma": 1}, "'sigma'"),
    ],
)
def test_mistakes_are_named(value, message):
    with pytest.raises(ValueError, match="likelihood") as caught:
        make(value)
    assert message in str(caught.value)

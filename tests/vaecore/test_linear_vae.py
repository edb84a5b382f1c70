"""A linear VAE is probabilistic principal component analysis: data, model, loss and loop against PCA.score.

With a linear decoder, one learned σ and a linear encoder, the evidence bound is tight at the optimum, whose
likelihood is that of probabilistic PCA.

M. E. Tipping, C. M. Bishop, Probabilistic Principal Component Analysis, 1999, JRSS B 61:611.

J. Lucas, G. Tucker, R. Grosse, M. Norouzi, Don't Blame the ELBO!, 2019, arXiv:1911.02469.
"""

from __future__ import annotations

import math

import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from torch.distributions import LowRankMultivariateNormal

from vaecore.batch import Batch, Sampler
from vaecore.families import build
from vaecore.images import Images
from vaecore.noise import draw
from vaecore.training import Settings, Training, train

LATENTS = 8
STEPS = 4000


def test_a_linear_vae_reaches_probabilistic_pca():
    stored = (torch.from_numpy(load_digits().images) * (255 / 16)).round().to(torch.uint8)[:, None]
    images = Images(stored, (1, 8, 8))
    x = images.batch(torch.arange(len(images)))
    exact = PCA(LATENTS, svd_solver="full").fit(x.flatten(1)).score(x.flatten(1))

    linear = {"name": "mlp", "hidden": []}
    gaussian = {"name": "gaussian", "sigma": "learned"}
    family = build(
        "vae",
        image_shape=(1, 8, 8),
        latents=LATENTS,
        network=linear,
        likelihood=gaussian,
        dataset_size=len(images),
        hyper={},
        seed=0,
    )
    # decayed almost to 0: at the end neither the steps nor the batches' sampling move the weights
    decay = {"schedule": "cosine", "from": 1e-2, "to": 1e-5, "steps": STEPS}
    settings = Settings(steps=STEPS, batch_size=256, learning_rate=decay, record_every=100)
    rows = list(train(Training(family, Sampler(images), settings, {}, seed=0)))

    with torch.no_grad():
        zero = torch.zeros(1, LATENTS)
        mean = family.decode(zero).flatten()  # the decoder is linear: its images of the axes are its weights
        weight = (family.decode(torch.eye(LATENTS)).flatten(1) - mean).T
        variance = torch.tensor(rows[-1][1]["sigma"] ** 2)
        marginal = LowRankMultivariateNormal(mean, weight, variance.expand(64))
        log_likelihood = marginal.log_prob(x.flatten(1)).mean().item()
        # one sample of z per image and 1797 images, 20 times: a standard error of 0.01 nats
        generator = torch.Generator().manual_seed(0)
        noise = [draw(family.code_noise(len(x)), generator) for _ in range(20)]
        encodings = [family.encode(Batch(x), each) for each in noise]
        bound = -sum((each.distortion + each.rate).mean().item() for each in encodings) / len(noise)
        # with so many samples the importance-weighted bound is the likelihood, to 0.01 nats
        few, k = Batch(x[:100]), 500
        weights = family.log_weights(few, draw(family.code_noise(k * 100), generator), k)
        tight = (torch.logsumexp(weights, 0) - math.log(k)).mean().item()
        of_few = marginal.log_prob(x[:100].flatten(1)).mean().item()

    assert tight == pytest.approx(of_few, abs=0.02)
    assert log_likelihood == pytest.approx(exact, rel=0.005)
    assert log_likelihood <= exact + 1e-3, "probabilistic PCA is the maximum"
    assert bound == pytest.approx(exact, rel=0.005)
    assert bound <= log_likelihood + 0.03, "it is a lower bound, to three standard errors"

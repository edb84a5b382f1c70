"""A linear VAE is probabilistic principal component analysis: the whole chain of data, model, loss and loop against PCA.score.

With a linear decoder, one learned σ and a linear encoder, the evidence bound is tight at the optimum, whose likelihood is that of
probabilistic PCA (M. E. Tipping, C. M. Bishop, Probabilistic Principal Component Analysis, 1999, JRSS B 61:611; J. Lucas, G. Tucker,
R. Grosse, M. Norouzi, Don't Blame the ELBO!, 2019, arXiv:1911.02469).
"""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from torch.distributions import LowRankMultivariateNormal

from vaecore.families import build
from vaecore.images import Images
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
    # decayed to nothing: at the end neither the steps nor the batches' sampling move the weights
    decay = {"schedule": "cosine", "from": 1e-2, "to": 1e-5, "steps": STEPS}
    settings = Settings(steps=STEPS, batch_size=256, learning_rate=decay, record_every=STEPS)
    list(train(Training(family, images, settings, {}, seed=0)))

    with torch.no_grad():
        decoder = next(layer for layer in family.autoencoder.decoder if isinstance(layer, torch.nn.Linear))
        variance = (2 * family.autoencoder.likelihood.log_sigma).exp()
        marginal = LowRankMultivariateNormal(decoder.bias, decoder.weight, variance.expand(64))
        log_likelihood = marginal.log_prob(x.flatten(1)).mean().item()
        # one sample of z per image and 1797 images, 20 times: a standard error of 0.01 nats
        generator = torch.Generator().manual_seed(0)
        noise = [{"posterior": torch.randn(len(x), LATENTS, generator=generator)} for _ in range(20)]
        bound = -sum(family.terms(x, {}, each)["loss"].mean().item() for each in noise) / len(noise)

    assert log_likelihood == pytest.approx(exact, rel=0.005)
    assert log_likelihood <= exact + 1e-3, "probabilistic PCA is the maximum"
    assert bound == pytest.approx(exact, rel=0.005)
    assert bound <= log_likelihood + 0.03, "the bound is one, to three standard errors"

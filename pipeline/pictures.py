"""What a trained model does to images, to be looked at: reconstructions and latent traversals, as PNG files.

    reconstructions   two strips of originals, each over its reconstructions from the posterior's mean
    traversals        rows are latents, those with the highest rate on top; columns set that latent to -2 ... 2 standard
                      deviations of the prior, the others stay at the posterior mean of one image

The prior is N(0, 1); a deterministic code has none, and its latents move by standard deviations of the codes around their
mean. All trials of a data set are shown the same images.
"""

from __future__ import annotations

import numpy as np
import torch

from pipeline.contact_sheet import png, sheet
from vaecore.families import Family
from vaecore.images import Images

__all__ = ["draw"]

COLUMNS = 10
STRIPS = 2
STEPS = 11
ROWS = 12
"""Latents shown at most."""
SAMPLE = 512
"""Images that latents are ordered by."""


def draw(family: Family, images: Images, rows: np.ndarray | None = None) -> dict[str, bytes]:
    """File name -> PNG.

    Args:
        rows: bool [N], the images to choose from; None means all.
    """
    family = family.cpu().eval()
    # One seed for all: what differs between two pictures is the model.
    candidates = np.arange(len(images)) if rows is None else np.flatnonzero(rows)
    chosen = np.random.default_rng(0).permutation(candidates)[:SAMPLE]
    with torch.inference_mode():
        x = images.batch(torch.from_numpy(chosen))  # [S, C, H, W]
        return {
            "reconstructions.png": png(_reconstructions(family, x)),
            "traversals.png": png(_traversals(family, x)),
        }


def _reconstructions(family: Family, x: torch.Tensor) -> np.ndarray:
    x = x[: COLUMNS * STRIPS]
    mean, _ = family.autoencoder.encode(x)
    x_hat = family.autoencoder.decode(mean)
    strips = []
    for start in range(0, len(x), COLUMNS):
        strips += [x[start : start + COLUMNS], x_hat[start : start + COLUMNS]]
    return sheet([strip.numpy() for strip in strips])


def _traversals(family: Family, x: torch.Tensor) -> np.ndarray:
    autoencoder = family.autoencoder
    posterior = autoencoder.posterior(autoencoder.encoder(x))
    rate = posterior.kl().mean(0)  # [L]
    center, scale = torch.zeros_like(rate), torch.ones_like(rate)
    if not torch.isfinite(rate).all():
        center, scale = posterior.mean.mean(0), posterior.mean.std(0, unbiased=False)
        rate = scale
    values = torch.linspace(-2, 2, STEPS)
    strips = []
    for latent in torch.argsort(rate, descending=True)[:ROWS].tolist():
        z = posterior.mean[:1].repeat(STEPS, 1)  # [STEPS, L]
        z[:, latent] = center[latent] + values * scale[latent]
        strips.append(autoencoder.decode(z).numpy())
    return sheet(strips)

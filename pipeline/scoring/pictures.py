"""Pictures of a trained model, as PNG files: reconstructions and latent traversals.

    reconstructions   two strips of originals, each over its reconstructions
    traversals        a row per latent, the highest rate on top; columns set it to -2 ... 2, the others stay
                      at the code of one image

N(0, 1) has most of its mass between -2 and 2. For another prior, or without one, a latent moves by standard
deviations of the codes around their mean. If the rate is not known by latent, those that vary most come
first. All trials of a data set have pictures of the same images.
"""

from __future__ import annotations

import numpy as np
import torch

from pipeline.scoring.encoding import drawn, placed
from pipeline.store.contact_sheet import png, sheet
from vaecore.batch import Batch, Sampler
from vaecore.families import Family

__all__ = ["draw"]

COLUMNS = 10
STRIPS = 2
STEPS = 11
ROWS = 12
"""Latents shown at most."""
SAMPLE = 512
"""Number of images that determine the order of the latents."""


def draw(family: Family, sampler: Sampler, rows: np.ndarray | None = None) -> dict[str, bytes]:
    """File name -> PNG.

    Args:
        rows: bool [N], the images to choose from; None means all.
    """
    family = family.cpu().eval()
    # One seed for all: two pictures differ in the model alone.
    candidates = np.arange(len(sampler.images)) if rows is None else np.flatnonzero(rows)
    chosen = np.random.default_rng(0).permutation(candidates)[:SAMPLE]
    with torch.inference_mode():
        batch = sampler.batch(torch.from_numpy(chosen))
        return {
            "reconstructions.png": png(_reconstructions(family, batch)),
            "traversals.png": png(_traversals(family, batch)),
        }


def _reconstructions(family: Family, batch: Batch) -> np.ndarray:
    shown = batch.part(slice(COLUMNS * STRIPS))
    x, x_hat = shown.x, family.reconstruct(shown)
    strips = []
    for start in range(0, len(x), COLUMNS):
        strips += [x[start : start + COLUMNS], x_hat[start : start + COLUMNS]]
    return sheet([strip.numpy() for strip in strips])


def _traversals(family: Family, batch: Batch) -> np.ndarray:
    noise = placed(drawn(family.code_noise(len(batch.x)), 0), slice(None), "cpu")
    encoding = family.encode(batch, noise, distortion=False)
    codes, rate = encoding.codes, encoding.rate_per_group.mean(0)  # [S, L], [G]
    center, scale = torch.zeros(codes.shape[1]), torch.ones(codes.shape[1])
    if family.prior != "standard_normal":
        center, scale = codes.mean(0), codes.std(0, unbiased=False)
    order = rate if len(rate) == len(scale) and rate.isfinite().all() else codes.std(0, unbiased=False)
    values = torch.linspace(-2, 2, STEPS)
    given = batch.part(torch.zeros(STEPS, dtype=torch.int64))  # labels and factors of the one image
    strips = []
    for latent in torch.argsort(order, descending=True)[:ROWS].tolist():
        z = codes[:1].repeat(STEPS, 1)  # [STEPS, L]
        z[:, latent] = center[latent] + values * scale[latent]
        strips.append(family.decode(z, given).numpy())
    return sheet(strips)

"""Two sets of images to be compared as distributions: of the data, and of the model's prior.

    real      x_n,  n drawn without replacement
    samples   E[x | z_m],  z_m ~ p(z)                   the expected image, without pixel noise

    [M, C, H, W] float32 in [0, 1]: a Gaussian's mean is clipped to this range.

A family that needs labels or factors gets those of images n drawn as for ``real``. A family without a prior
has no samples.
"""

from __future__ import annotations

import numpy as np
import torch

from pipeline.scoring.encoding import drawn, placed
from vaecore.batch import Sampler
from vaecore.families import Family
from vaecore.images import Images

__all__ = ["chosen", "real", "samples"]


def chosen(n: int, rows: np.ndarray | None, count: int, seed: int) -> np.ndarray:
    """``count`` row numbers of a data set of n images, ascending; all of them if there are no more.

    Args:
        rows: bool [N], those to draw from; None means all.
    """
    candidates = np.arange(n) if rows is None else np.flatnonzero(rows)
    if len(candidates) > count:
        candidates = np.sort(np.random.default_rng(seed).choice(candidates, count, replace=False))
    return candidates


def real(images: Images, rows: np.ndarray | None, count: int, seed: int) -> np.ndarray:
    """``count`` images of the data set, whose rows :func:`chosen` draws."""
    return images.batch(torch.from_numpy(chosen(len(images), rows, count, seed))).numpy()


def samples(
    family: Family,
    count: int,
    seed: int,
    *,
    batch_size: int,
    sampler: Sampler,
    rows: np.ndarray | None = None,
    device: str = "cpu",
) -> np.ndarray:
    """``count`` images decoded from codes that are drawn from the prior.

    A family that needs labels or factors has at most as many samples as there are ``rows`` (bool [N]). The
    codes are drawn at once: the batch size changes only the speed.
    """
    assert family.has_prior, "a family without a prior has no samples"
    family = family.to(device).eval()
    given = None
    if family.conditioned:
        places = np.random.default_rng(seed).permutation(chosen(len(sampler.images), rows, count, seed))
        count = len(places)
        given = sampler.batch(torch.from_numpy(places))
    noise = drawn(family.sample_noise(count), seed)
    parts = []
    with torch.inference_mode():
        for start in range(0, count, batch_size):
            part = slice(start, start + batch_size)
            known = None if given is None else given.part(part).to(device)
            parts.append(family.sample(placed(noise, part, device), known).clamp(0, 1).cpu())
    return torch.cat(parts).numpy()

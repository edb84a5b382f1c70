"""A trained model's account of a data set: every image encoded once, batch by batch.

    q(z | x_n) = encoder(x_n)                       mean, std  [N, L]
    R_n = Σ_l KL[q(z_l | x_n) ‖ p(z_l)]             rate       [N]  nats per image
    D_n = -log p(x_n | z_n),  z_n ~ q(z | x_n)      distortion [N]  nats per image, one sample
    x̂_n = E[x | z = mean_n]                         reconstruction [C, H, W], from the posterior's mean

These are the distortion and rate of every family's ``terms``, without what else an objective holds (a critic, a total
correlation), so that adding a score to a trained model costs no more than the passes it needs. The noise of z_n is drawn
for the whole data set at once, from a seed: the batch size changes the speed, not the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from vaecore.families import Family
from vaecore.images import Images

__all__ = ["Batch", "collect", "encode"]


@dataclass(frozen=True)
class Batch:
    """What is known of B consecutive images; b of them were decoded too. None is what was not asked for, or b = 0."""

    mean: np.ndarray
    """float32 [B, L]"""
    std: np.ndarray
    """float32 [B, L]; 0 for a deterministic code."""
    rate: np.ndarray
    """float64 [B]; +inf for a deterministic code."""
    distortion: np.ndarray | None
    """float64 [b]"""
    images: np.ndarray | None
    """float32 [b, C, H, W] in [0, 1]"""
    reconstructions: np.ndarray | None
    """float32 [b, C, H, W], as ``images``."""


def encode(
    family: Family,
    images: Images,
    *,
    batch_size: int,
    seed: int,
    rows: np.ndarray | None = None,
    distortion: bool = True,
    reconstructions: bool = True,
    device: str = "cpu",
) -> Iterator[Batch]:
    """Pass over all images, in order.

    Args:
        rows: bool [N], the images to decode; None means all.
        distortion: whether samples are decoded, to find how improbable the images are.
        reconstructions: whether means are decoded; holds ``batch_size`` images as floats, twice.
        seed: of the posterior's samples.
    """
    family = family.to(device).eval()
    autoencoder = family.autoencoder
    noise = None
    if distortion and autoencoder.posterior.noise:
        shape = (len(images), autoencoder.latents)
        noise = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    for start in range(0, len(images), batch_size):
        part = slice(start, start + batch_size)
        some = images.part(start, start + batch_size).to(device)
        with torch.inference_mode():
            x = some.batch(torch.arange(len(some), device=device))  # [B, C, H, W]
            posterior = autoencoder.posterior(autoencoder.encoder(x))
            mean, std, rate = posterior.mean, posterior.std, posterior.kl().double().sum(1)
            keep = np.arange(len(x)) if rows is None else np.flatnonzero(rows[part])
            kept = torch.from_numpy(keep).to(device)
            D = x_hat = None
            if distortion and len(keep):
                z = posterior.sample(None if noise is None else torch.from_numpy(noise[part]).to(device))
                D = -autoencoder.likelihood.log_prob(x[kept], autoencoder.decoder(z[kept])).double()
            if reconstructions and len(keep):
                x_hat = autoencoder.decode(mean[kept])
        yield Batch(
            mean=_array(mean),
            std=_array(std),
            rate=_array(rate),
            distortion=None if D is None else _array(D),
            images=None if x_hat is None else _array(x[kept]),
            reconstructions=None if x_hat is None else _array(x_hat),
        )


def collect(
    family: Family,
    images: Images,
    names: Collection[str],
    *,
    batch_size: int,
    seed: int,
    rows: np.ndarray | None = None,
    device: str = "cpu",
    watch: Sequence[Callable[[np.ndarray, np.ndarray], None]] = (),
) -> dict[str, np.ndarray]:
    """One pass over all images, no further than it is needed, for the arrays ``names`` (fields of :class:`Batch`).

    Every batch of images and reconstructions is shown to those who ``watch``. Distortion and what is shown are of ``rows``.
    """
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for batch in encode(
        family,
        images,
        batch_size=batch_size,
        seed=seed,
        rows=rows,
        distortion="distortion" in names,
        reconstructions=bool(watch),
        device=device,
    ):
        for name, arrays in parts.items():
            if (array := getattr(batch, name)) is not None:
                arrays.append(array)
        if batch.images is not None and batch.reconstructions is not None:
            for look in watch:
                look(batch.images, batch.reconstructions)
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.cpu().numpy()

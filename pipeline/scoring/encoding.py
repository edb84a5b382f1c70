"""A trained model's pass over a data set: every image is encoded once, batch by batch.

    codes, mean, std        [N, L]           what represents an image; mean and std of q(z | x), if any
    rate, rate_per_group    [N], [N, G]      nats per image, against the family's own prior
    distortion              [N]              -log p(x | z) in nats, of one z ~ q(z | x)
    reconstruction          [N, C, H, W]     the expected image of its code

The family computes all of them (``vaecore.families``): nothing is recomputed from mean and std. The noise of
the samples is drawn for the whole data set at once, from a seed: the batch size changes the speed, not the
numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vaecore.batch import Batch, Sampler
from vaecore.families import Encoding, Family
from vaecore.noise import Shapes

__all__ = ["EncodedBatch", "collect", "drawn", "encode", "placed"]

NATS = {"rate", "rate_per_group", "distortion"}


@dataclass(frozen=True)
class EncodedBatch:
    """The arrays of B consecutive images, of which b were decoded too.

    An array is None if it was not requested, if the family does not have it, or if b = 0.
    """

    codes: np.ndarray
    """float32 [B, L]"""
    mean: np.ndarray | None
    """float32 [B, L]"""
    std: np.ndarray | None
    """float32 [B, L]; 0 for a deterministic code."""
    rate: np.ndarray
    """float64 [B]; +inf for a deterministic code."""
    rate_per_group: np.ndarray
    """float64 [B, G]"""
    distortion: np.ndarray | None
    """float64 [b]"""
    images: np.ndarray | None
    """float32 [b, C, H, W] in [0, 1]"""
    reconstructions: np.ndarray | None
    """float32 [b, C, H, W], as ``images``."""


def drawn(shapes: Shapes, seed: int) -> dict[str, np.ndarray]:
    """Noise from a seed, the same for every device. :mod:`vaecore.noise` defines shapes."""
    rng = np.random.default_rng(seed)
    draw: dict[str, Callable[..., np.ndarray]] = {"normal": rng.standard_normal, "uniform": rng.random}
    return {name: draw[kind](shape, dtype=np.float32) for name, (kind, shape) in shapes.items()}


def placed(noise: Mapping[str, np.ndarray], rows: slice | np.ndarray, device: str) -> dict[str, torch.Tensor]:
    """Some rows of the noise, on ``device``."""
    return {name: torch.from_numpy(array[rows]).to(device) for name, array in noise.items()}


def encode(
    family: Family,
    sampler: Sampler,
    *,
    batch_size: int,
    seed: int,
    rows: np.ndarray | None = None,
    distortion: bool = True,
    reconstructions: bool = True,
    device: str = "cpu",
) -> Iterator[EncodedBatch]:
    """Pass over all images, in order.

    Args:
        rows: bool [N], the images to decode; None means all.
        distortion: whether to decode samples of the posterior, for the distortion.
        reconstructions: whether to decode codes; holds ``batch_size`` images as floats, twice.
        seed: of the posterior's samples.
    """
    family = family.to(device).eval()
    noise = drawn(family.code_noise(len(sampler.images)), seed)
    for start in range(0, len(sampler.images), batch_size):
        some = sampler.part(start, start + batch_size).to(device)
        part = slice(start, start + len(some))
        decoded = np.ones(len(some), dtype=bool) if rows is None else rows[part]
        keep = torch.from_numpy(np.flatnonzero(decoded)).to(device)
        with torch.inference_mode():
            batch = some.batch(torch.arange(len(some), device=device))
            kept = batch.part(keep) if len(keep) < len(some) else batch
            seen = _encoding(family, batch, placed(noise, part, device), decoded & distortion)
            x_hat = family.reconstruct(kept) if reconstructions and len(keep) else None
        yield EncodedBatch(
            **seen,
            images=None if x_hat is None else _array(kept.x),
            reconstructions=None if x_hat is None else _array(x_hat),
        )


def _encoding(
    family: Family, batch: Batch, noise: Mapping[str, torch.Tensor], decoded: np.ndarray
) -> dict[str, Any]:
    """The batch's encoding as arrays; the distortion is that of the images that are ``decoded``, bool [B]."""
    encodings, places = [], []
    for with_distortion in (True, False):
        chosen = np.flatnonzero(decoded == with_distortion)
        if len(chosen):
            index = torch.from_numpy(chosen).to(batch.x.device)
            some = {name: each[index] for name, each in noise.items()}
            encodings.append(family.encode(batch.part(index), some, distortion=with_distortion))
            places.append(chosen)
    order = np.argsort(np.concatenate(places))
    found: dict[str, Any] = {}
    for name in Encoding._fields:
        parts = [_array(part) for each in encodings if (part := getattr(each, name)) is not None]
        joined = np.concatenate(parts) if parts else None
        if joined is not None and name in NATS:
            joined = joined.astype(np.float64)
        found[name] = joined if joined is None or len(joined) < len(order) else joined[order]
    return found


def collect(
    family: Family,
    sampler: Sampler,
    names: Collection[str],
    *,
    batch_size: int,
    seed: int,
    rows: np.ndarray | None = None,
    device: str = "cpu",
    watch: Sequence[Callable[[np.ndarray, np.ndarray], None]] = (),
) -> dict[str, np.ndarray]:
    """The arrays ``names``, fields of :class:`EncodedBatch`, from one pass that computes no others.

    Args:
        rows: bool [N], the images that have distortions and reconstructions; None means all.
        watch: functions that get every batch of images and reconstructions.
    """
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for seen in encode(
        family,
        sampler,
        batch_size=batch_size,
        seed=seed,
        rows=rows,
        distortion="distortion" in names,
        reconstructions=bool(watch),
        device=device,
    ):
        for name, arrays in parts.items():
            if (array := getattr(seen, name)) is not None:
                arrays.append(array)
        if seen.images is not None and seen.reconstructions is not None:
            for look in watch:
                look(seen.images, seen.reconstructions)
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.cpu().numpy()

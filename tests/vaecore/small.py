"""Small models, batches and trainings of every family, made from its declarations."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.small_trainings import (  # fmt: skip
    CLASSES,
    FACTOR_SIZES,
    PARTS,
    SHAPE,
    SMALL,
    L,
    N,
    example,
    known,
    make,
    sampler,
    start,
)
from vaecore.batch import Batch
from vaecore.families import Encoding, Family
from vaecore.images import Images
from vaecore.noise import draw

__all__ = [
    "CLASSES",
    "FACTOR_SIZES",
    "PARTS",
    "SHAPE",
    "SMALL",
    "B",
    "L",
    "N",
    "batch",
    "encode",
    "evaluate",
    "example",
    "images",
    "known",
    "make",
    "sampler",
    "start",
]

B = 16


def images() -> Images:
    """N images of random bytes."""
    return sampler().images


def batch(n: int = B, shape: tuple[int, int, int] = SHAPE, seed: int = 2) -> Batch:
    """Grey noise, with labels and factors."""
    x = torch.rand(n, *shape, generator=torch.Generator().manual_seed(seed))
    return Batch(x, known(n)["labels"], known(n)["factors"])


def evaluate(family: Family, given: Batch, **hyper: float) -> dict[str, Tensor]:
    """The terms of a batch at the example's options, or ``hyper``, with noise from a fixed seed."""
    noise = draw(family.noise(len(given.x)), torch.Generator().manual_seed(1))
    scheduled = [key for key, each in family.options.items() if each.scheduled]
    return family.terms(given, {key: torch.tensor(float(hyper.get(key, 2.0))) for key in scheduled}, noise)


def encode(family: Family, given: Batch, seed: int = 1, **options: bool) -> Encoding:
    """A family's encoding of a batch, with noise from a seed."""
    noise = draw(family.code_noise(len(given.x)), torch.Generator().manual_seed(seed))
    return family.encode(given, noise, **options)

"""scikit-learn's digits, and a small network trained on them for a few seconds, for tests of what models
learn.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor

from vaecore.batch import Sampler
from vaecore.families import Family, build
from vaecore.images import Images
from vaecore.training import Row, Settings, Training, train

__all__ = ["CLASSES", "digits", "held_out", "learn"]

CLASSES = 10


@cache
def digits() -> Sampler:
    """The 1,797 images of 8×8 pixels and their labels."""
    bunch = load_digits()
    stored = (torch.from_numpy(bunch.images) * (255 / 16)).round().to(torch.uint8)[:, None]
    return Sampler(Images(stored, (1, 8, 8)), labels=torch.from_numpy(bunch.target).long())


@cache
def held_out() -> Tensor:
    """bool [N]: three in ten."""
    return torch.rand(len(digits()), generator=torch.Generator().manual_seed(0)) < 0.3


def learn(
    name: str, *, steps: int, corruption: Any = "none", record_every: int = 500, **hyper: Any
) -> tuple[Family, list[Row]]:
    """The family, trained on the images that are not held out, in evaluation mode; and its rows."""
    data = digits()
    rows = (~held_out()).nonzero()[:, 0]
    family = build(
        name,
        image_shape=(1, 8, 8),
        latents=10,
        network={"name": "mlp", "hidden": [128, 128]},
        likelihood="bernoulli",
        corruption=corruption,
        dataset_size=len(rows),
        classes=CLASSES,
        hyper=hyper,
        seed=0,
    )
    settings = Settings(steps=steps, batch_size=64, learning_rate=1e-3, record_every=record_every)
    sampler = Sampler(data.images, labels=data.labels, rows=rows)
    learnt = list(train(Training(family, sampler, settings, hyper, seed=0)))
    return family.eval(), learnt

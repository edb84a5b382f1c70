"""The model that most benchmarks train: one of the 12,600 of the study, with its settings.

dSprites at 64×64, the study's convolutional network, 10 latents, Bernoulli pixels, batches of 64, Adam at
1e-4, 300,000 steps. Each family has one of the six strengths that it has in the study.

F. Locatello, S. Bauer, M. Lucic, G. Rätsch, S. Gelly, B. Schölkopf, O. Bachem, Challenging Common Assumptions
in the Unsupervised Learning of Disentangled Representations, 2019, arXiv:1811.12359.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vaecore import families
from vaecore.batch import Sampler
from vaecore.training import Settings, Training

__all__ = [
    "BATCH_SIZE",
    "FAMILIES",
    "IMAGE_SHAPE",
    "LATENTS",
    "LEARNING_RATE",
    "STEPS",
    "build",
    "training",
]

IMAGE_SHAPE = (1, 64, 64)
LATENTS = 10
BATCH_SIZE = 64
LEARNING_RATE = 1e-4
STEPS = 300_000
ENDLESS = 1_000_000_000
"""Steps of a training that runs until the benchmark stops it."""

FAMILIES: dict[str, dict[str, Any]] = {
    "vae": {},
    "annealed_vae": {
        "capacity": {"schedule": "linear", "from": 0, "to": 25, "steps": 100_000},
        "gamma": 1000,
    },
    "factor_vae": {"gamma": 10},
    "beta_tc_vae": {"beta": 4},
}
"""Family -> its hyper-parameters."""


def build(
    family: str,
    dataset_size: int,
    seed: int,
    *,
    image_shape: tuple[int, int, int] = IMAGE_SHAPE,
    network: str | Mapping[str, Any] = "conv",
) -> families.Family:
    """The family with the study's settings."""
    return families.build(
        family,
        image_shape=image_shape,
        latents=LATENTS,
        network=network,
        likelihood="bernoulli",
        dataset_size=dataset_size,
        hyper=FAMILIES[family],
        seed=seed,
    )


def training(
    family: str,
    data: Sampler,
    seed: int,
    *,
    network: str | Mapping[str, Any] = "conv",
    device: str = "cpu",
    **settings: Any,
) -> Training:
    """A training on ``data``; ``settings`` override those of the study, and its steps, which are endless."""
    chosen = {"steps": ENDLESS, "batch_size": BATCH_SIZE, "learning_rate": LEARNING_RATE} | settings
    model = build(family, len(data), seed, image_shape=data.images.shape, network=network)
    return Training(model, data, Settings(**chosen), FAMILIES[family], seed=seed, device=device)

"""The model that every benchmark trains: one of the 12,600 of the study, by its own settings.

dSprites at 64×64, the study's convolutional network, 10 latents, Bernoulli pixels, batches of 64, Adam at 1e-4, 300,000 steps; each
family at one of the six strengths that the study gave it.

F. Locatello, S. Bauer, M. Lucic, G. Rätsch, S. Gelly, B. Schölkopf, O. Bachem, Challenging Common Assumptions in the Unsupervised
Learning of Disentangled Representations, 2019, arXiv:1811.12359.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vaecore import families

__all__ = ["BATCH_SIZE", "FAMILIES", "IMAGE_SHAPE", "LATENTS", "LEARNING_RATE", "STEPS", "build"]

IMAGE_SHAPE = (1, 64, 64)
LATENTS = 10
BATCH_SIZE = 64
LEARNING_RATE = 1e-4
STEPS = 300_000

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

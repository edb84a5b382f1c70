"""Trials of every family that are small enough to be trained in a test."""

from __future__ import annotations

from typing import Any

from pipeline.study.hyper_grid import hyper_points
from pipeline.study.trial import Trial
from tests.vaecore.small import SMALL, example
from vaecore.training import Settings

__all__ = ["SETTINGS", "make_trial"]

SETTINGS = Settings(steps=40, batch_size=16, learning_rate=1e-3, precision="float32", record_every=10)


def make_trial(family: str = "vae", seed: int = 0, **changes: Any) -> Trial:
    """A trial on digits; ``hyper`` overrides options of ``example``."""
    hyper = example(family) | changes.pop("hyper", {})
    values: dict[str, Any] = {
        "dataset": "digits",
        "checksum": "c",
        "family": family,
        "hyper": hyper_points(family, hyper)[0],
        "network": SMALL,
        "initialization": "tensorflow",
        "latents": 3,
        "likelihood": "bernoulli",
        "corruption": "none",
        "training": SETTINGS,
        "seed": seed,
        "code": "s",
    }
    return Trial(**{**values, **changes})

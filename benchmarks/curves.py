"""Learning curves of one model by two paths that see the same batches and the same noise.

    fast        ``vaecore.training``, as a study trains
    reference   ``benchmarks.reference``: plain modules in float32, plain autograd, torch.optim.Adam, a second backward pass for a critic

Both start at the same weights (the family's, of the seed), and the reference draws from the generator of a twin of the fast training that
is never advanced. What is left between the curves is rounding, and what training makes of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from benchmarks import study_model
from benchmarks.reference import Loop, Model, plain_state
from vaecore.batch import Sampler
from vaecore.families import Family
from vaecore.images import Images
from vaecore.precision import Precision
from vaecore.training import Settings, Training, train

__all__ = ["PATHS", "Course", "Curves", "curves"]

PATHS = ("fast", "reference")

Curves = dict[str, list[float]]
"""Term -> its mean over the images of every interval; "step" -> the interval's last update. "loss" includes a critic's."""


@dataclass(frozen=True)
class Course:
    """How long and on what."""

    steps: int
    every: int
    """Steps per recorded interval."""
    precision: Precision
    """Of the fast path."""
    device: str = "cpu"
    network: str = "conv"
    batch_size: int = study_model.BATCH_SIZE
    learning_rate: float = study_model.LEARNING_RATE


def curves(path: str, family: str, images: Images, seed: int, course: Course) -> Curves:
    """One run's curves; ``path`` is one of PATHS."""
    return (_fast if path == "fast" else _reference)(family, images, seed, course)


def _training(family: str, images: Images, seed: int, course: Course) -> Training:
    settings = Settings(
        steps=course.steps,
        batch_size=course.batch_size,
        learning_rate=course.learning_rate,
        precision=course.precision,
        record_every=course.every,
    )
    model = _family(family, images, seed, course)
    hyper = study_model.FAMILIES[family]
    return Training(model, Sampler(images), settings, hyper, seed=seed, device=course.device)


def _family(family: str, images: Images, seed: int, course: Course) -> Family:
    return study_model.build(family, len(images), seed, image_shape=images.shape, network=course.network)


def _fast(family: str, images: Images, seed: int, course: Course) -> Curves:
    recorded: Curves = {}
    for step, row in train(_training(family, images, seed, course)):
        _append(recorded, step, row)
    return recorded


def _reference(family: str, images: Images, seed: int, course: Course) -> Curves:
    twin = _training(family, images, seed, course)
    model = Model(family, course.network, images.shape, study_model.LATENTS)
    model.load_state_dict(plain_state(_family(family, images, seed, course).state_dict()))
    loop = Loop(family, model.to(course.device), len(images), course.learning_rate)
    recorded: Curves = {}
    sums: dict[str, torch.Tensor] = {}
    since = 0
    for step in range(1, course.steps + 1):
        batch, noise = twin.draw()
        terms = loop.step(batch.x, noise, twin.hyper_at(step))
        if "critic_objective" in terms:
            terms["critic_loss"] = terms.pop("critic_objective")
            terms["loss"] = terms["loss"] + terms["critic_loss"]
        sums = {name: sums.get(name, 0.0) + value.double() for name, value in terms.items()}
        since += 1
        if step % course.every == 0 or step == course.steps:
            _append(recorded, step, {name: float(total) / since for name, total in sums.items()})
            sums, since = {}, 0
    return recorded


def _append(recorded: Curves, step: int, row: Mapping[str, float]) -> None:
    for name, value in {"step": float(step), **row}.items():
        recorded.setdefault(name, []).append(value)

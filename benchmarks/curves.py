"""Learning curves of one model on two paths that see the same batches and the same noise.

    fast        ``vaecore.training``, as in a study
    reference   ``benchmarks.reference``: plain modules in float32, plain autograd, torch.optim.Adam, and a
                second backward pass for a critic

Both paths start at the same weights: those of the family at the seed. The reference draws batches and noise
from a twin of the fast training, which takes no steps itself. So the curves differ only by rounding, which
training amplifies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from benchmarks import study_model
from benchmarks.reference import Loop, Model, plain_state
from vaecore.batch import Sampler
from vaecore.images import Images
from vaecore.precision import Precision
from vaecore.training import Training, train

__all__ = ["PATHS", "Course", "Curves", "curves"]

PATHS = ("fast", "reference")

Curves = dict[str, list[float]]
"""Term -> its mean over the images of each interval; "step" -> the last step of each interval.

"loss" includes the loss of a critic.
"""


@dataclass(frozen=True)
class Course:
    """The settings of a run."""

    steps: int
    every: int
    """Steps per recorded interval."""
    precision: Precision
    """The precision of the fast path."""
    device: str = "cpu"
    network: str = "conv"
    batch_size: int = study_model.BATCH_SIZE
    learning_rate: float = study_model.LEARNING_RATE


def curves(path: str, family: str, images: Images, seed: int, course: Course) -> Curves:
    """One run's curves; ``path`` is one of PATHS."""
    return (_fast if path == "fast" else _reference)(family, images, seed, course)


def _training(family: str, images: Images, seed: int, course: Course) -> Training:
    return study_model.training(
        family,
        Sampler(images),
        seed,
        network=course.network,
        device=course.device,
        steps=course.steps,
        batch_size=course.batch_size,
        learning_rate=course.learning_rate,
        precision=course.precision,
        record_every=course.every,
    )


def _fast(family: str, images: Images, seed: int, course: Course) -> Curves:
    recorded: Curves = {}
    for step, row in train(_training(family, images, seed, course)):
        _append(recorded, step, row)
    return recorded


def _reference(family: str, images: Images, seed: int, course: Course) -> Curves:
    twin = _training(family, images, seed, course)
    model = Model(family, course.network, images.shape, study_model.LATENTS)
    model.load_state_dict(plain_state(twin.family.state_dict()))
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

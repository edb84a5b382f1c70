"""The suite's own loop: ``vaecore.packing.advance`` over a pack of trainings that share one copy of the images.

A row of the history is recorded every ``chunk`` steps, and waits for the device as it does in a study.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks import sprites, study_model
from benchmarks.contestants import Spec
from vaecore.batch import Sampler
from vaecore.packing import advance
from vaecore.training import Settings, Training

__all__ = ["Ours", "prepare"]

ENDLESS = 1_000_000_000


class Ours:
    def __init__(self, spec: Spec, folder: Path) -> None:
        sampler = Sampler(sprites.packed(folder, spec.side)).to(spec.device)
        settings = Settings(
            steps=ENDLESS,
            batch_size=study_model.BATCH_SIZE,
            learning_rate=study_model.LEARNING_RATE,
            precision=spec.precision,  # type: ignore[arg-type]
            record_every=spec.chunk,
        )
        self.trainings = [
            Training(
                study_model.build(
                    spec.family,
                    len(sampler),
                    seed,
                    image_shape=sampler.images.shape,
                    network=spec.network,
                ),
                sampler,
                settings,
                study_model.FAMILIES[spec.family],
                seed=seed,
                device=spec.device,
            )
            for seed in range(spec.seed, spec.seed + spec.pack)
        ]
        self.chunk = spec.chunk
        self.precision = self.trainings[0].precision
        self.per_step = float(study_model.BATCH_SIZE * spec.pack)

    def run(self, steps: int) -> None:
        assert steps % self.chunk == 0
        for _ in range(steps // self.chunk):
            for outcome in advance(self.trainings):
                if isinstance(outcome, Exception):
                    raise outcome


def prepare(spec: Spec, folder: Path) -> Ours:
    return Ours(spec, folder)

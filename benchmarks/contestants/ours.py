"""The suite's own loop: ``vaecore.lockstep.advance`` over a pack of trainings that share one copy of the
images.

It records a row of the history every ``chunk`` steps and waits for the device there, as a study does.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks import sprites, study_model
from benchmarks.contestants import Spec
from vaecore.batch import Sampler
from vaecore.lockstep import advance

__all__ = ["Ours", "prepare"]


class Ours:
    def __init__(self, spec: Spec, folder: Path) -> None:
        sampler = Sampler(sprites.packed(folder, spec.side)).to(spec.device)
        self.trainings = [
            study_model.training(
                spec.family,
                sampler,
                seed,
                network=spec.network,
                device=spec.device,
                precision=spec.precision,
                record_every=spec.chunk,
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

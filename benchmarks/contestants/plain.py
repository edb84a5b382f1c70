"""A plain PyTorch script: the modules and objectives of ``benchmarks.reference``, and a shuffling DataLoader.

The images are float32. It computes in float32 or bfloat16 autocast. On a GPU batches are pinned and copied
asynchronously, and cuDNN chooses its fastest algorithms.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from benchmarks import sprites, study_model
from benchmarks.contestants import Spec
from benchmarks.reference import Loop, Model
from vaecore.schedules import schedule

__all__ = ["Plain", "prepare"]


class Plain:
    def __init__(self, spec: Spec, folder: Path) -> None:
        self.device = torch.device(spec.device)
        self.precision = spec.precision
        self.per_step = float(study_model.BATCH_SIZE)
        if self.device.type == "cuda":
            torch.backends.cudnn.benchmark = True
        pixels = sprites.floats(folder)
        self.loader = DataLoader(
            TensorDataset(pixels),
            batch_size=study_model.BATCH_SIZE,
            shuffle=True,
            drop_last=True,
            num_workers=spec.loaders,
            persistent_workers=spec.loaders > 0,
            pin_memory=self.device.type == "cuda",
        )
        self.batches = self._endless()
        torch.manual_seed(spec.seed)
        model = Model(spec.family, "conv", study_model.IMAGE_SHAPE, study_model.LATENTS).to(self.device)
        self.loop = Loop(
            spec.family,
            model,
            len(pixels),
            study_model.LEARNING_RATE,
            bfloat16=spec.precision == "bfloat16",
        )
        self.schedules = {name: schedule(value) for name, value in study_model.FAMILIES[spec.family].items()}
        self.steps = 0

    def run(self, steps: int) -> None:
        shape = (study_model.BATCH_SIZE, study_model.LATENTS)
        for _ in range(steps):
            self.steps += 1
            x = next(self.batches).to(self.device, non_blocking=True)
            noise = {"posterior": torch.randn(shape, device=self.device)}
            if self.loop.critic_optimizer is not None:
                noise["permutation"] = torch.rand(shape, device=self.device)
            self.loop.step(x, noise, {name: float(at(self.steps)) for name, at in self.schedules.items()})
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def _endless(self) -> Iterator[Tensor]:
        while True:
            for (x,) in self.loader:
                yield x


def prepare(spec: Spec, folder: Path) -> Plain:
    return Plain(spec, folder)

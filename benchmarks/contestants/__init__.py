"""The contestants that are measured side by side: a file each, with ``prepare(spec, folder) -> Contestant``.

    ours      vaecore.lockstep.advance over ``pack`` trainings that share one copy of bit-packed images
    pythae    the training loop of the library pythae with the same network, if it is installed
    plain     a PyTorch script: plain modules, DataLoader, autograd, Adam
    stacked   plain modules with the stacked weights of ``pack`` models and one vectorised step (torch.func)
    matrix    large matrix products: the highest rate of the device

A contestant runs in its own process (``benchmarks.worker``), or in several processes at once.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

__all__ = ["Contestant", "Layout", "Spec", "prepare"]


@dataclass(frozen=True)
class Layout:
    """The processes and threads of a contestant."""

    processes: int
    """Worker processes, which all do the same at the same time."""
    threads: int
    """PyTorch's threads in each process."""

    def __str__(self) -> str:
        return f"{self.processes}×{self.threads}"


@dataclass(frozen=True, kw_only=True)
class Spec:
    """The contestant that one process prepares, and its options."""

    contestant: str
    """The name of a module of this package."""
    family: str
    device: str
    """ "cpu" or "cuda"."""
    precision: str
    """For ours a precision of vaecore's settings, otherwise "float32" or "bfloat16"."""
    chunk: int
    """Steps between two looks at the clock."""
    pack: int = 1
    """Models trained side by side in each process."""
    loaders: int = 0
    """DataLoader worker processes."""
    network: str = "conv"
    side: int = 64
    """Side of the images in pixels."""
    seed: int = 0


class Contestant(Protocol):
    """A training loop, or another load of the device, that is measured."""

    per_step: float
    """Images per step, or floating-point operations per step."""
    precision: str
    """The precision of its computations: float32 or bfloat16."""

    def run(self, steps: int) -> None:
        """Take ``steps`` steps (a multiple of the spec's chunk) and wait until the device has done them."""


def prepare(spec: Spec, folder: Path) -> Contestant:
    """The contestant, ready to run; ``folder`` holds the images (see ``benchmarks.sprites``)."""
    contestant: Contestant = importlib.import_module(f"{__name__}.{spec.contestant}").prepare(spec, folder)
    return contestant

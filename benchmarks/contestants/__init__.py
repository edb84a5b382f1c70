"""What is measured side by side: one file each, each with ``prepare(spec, folder) -> Contestant``.

    ours      vaecore.packing.advance over ``pack`` trainings that share one copy of bit-packed images
    pythae    the training loop of the library pythae with the same network, where it is installed
    plain     a PyTorch script: plain modules, DataLoader, autograd, Adam
    stacked   plain modules, the weights of ``pack`` models stacked and the step vectorised over them (torch.func)
    matrix    large matrix products: the rate that the device reaches when nothing is in the way

A contestant runs in a process of its own (``benchmarks.worker``), or in several at once.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

__all__ = ["Contestant", "Layout", "Spec", "prepare"]


@dataclass(frozen=True)
class Layout:
    """How a contestant is spread over a machine."""

    processes: int
    """Worker processes, all doing the same at the same time."""
    threads: int
    """PyTorch's threads in each of them."""

    def __str__(self) -> str:
        return f"{self.processes}×{self.threads}"


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What one process prepares."""

    contestant: str
    """A module of this package."""
    family: str
    device: str
    """ "cpu" or "cuda"."""
    precision: str
    """For ours as in vaecore's settings, otherwise "float32" or "bfloat16"."""
    chunk: int
    """Steps between two looks at the clock."""
    pack: int = 1
    """Models trained side by side in each process."""
    loaders: int = 0
    """DataLoader worker processes."""
    network: str = "conv"
    side: int = 64
    """Of the images, in pixels."""
    seed: int = 0


class Contestant(Protocol):
    per_step: float
    """What one step gets done: images read, or floating point operations."""
    precision: str
    """What it computes in: float32 or bfloat16."""

    def run(self, steps: int) -> None:
        """Take ``steps`` steps (a multiple of the spec's chunk) and wait until the device has done them."""


def prepare(spec: Spec, folder: Path) -> Contestant:
    """The contestant, ready to run; ``folder`` holds the images (see ``benchmarks.sprites``)."""
    contestant: Contestant = importlib.import_module(f"{__name__}.{spec.contestant}").prepare(spec, folder)
    return contestant

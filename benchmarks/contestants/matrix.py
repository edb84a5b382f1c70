"""The device's matrix rate: large square products n×n · n×n of 2 n³ operations, in float32 or bfloat16.

It is the highest rate that a training step could reach in the same layout. On a GPU float32 is not TF32.
"""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.contestants import Spec

__all__ = ["Matrix", "prepare"]

SIZES = {"cpu": 2048, "cuda": 8192}


class Matrix:
    def __init__(self, spec: Spec) -> None:
        n = SIZES[spec.device]
        dtype = getattr(torch, spec.precision)
        self.precision = spec.precision
        self.per_step = 2.0 * n**3
        self.left = torch.randn(n, n, device=spec.device).to(dtype)
        self.right = torch.randn(n, n, device=spec.device).to(dtype)
        self.product = torch.empty_like(self.left)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            torch.mm(self.left, self.right, out=self.product)
        if self.product.is_cuda:
            torch.cuda.synchronize()


def prepare(spec: Spec, folder: Path) -> Matrix:
    return Matrix(spec)

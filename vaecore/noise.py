"""Noise: members declare the shapes of the random numbers that they need, and the caller draws them.

{"posterior": ("normal", (B, L)), "permutation": ("uniform", (B, L))}      N(0, 1); U[0, 1)
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

__all__ = ["Shapes", "draw"]

Shapes = dict[str, tuple[str, tuple[int, ...]]]
"""Name -> ("normal" | "uniform", shape)."""

DRAWS = {"normal": torch.randn, "uniform": torch.rand}


def draw(shapes: Mapping[str, tuple[str, tuple[int, ...]]], generator: torch.Generator) -> dict[str, Tensor]:
    """Name -> float32 numbers of that shape, drawn one after the other on the generator's device."""
    return {
        name: DRAWS[kind](shape, generator=generator, device=generator.device)
        for name, (kind, shape) in shapes.items()
    }

"""The precision that networks compute in: bfloat16 where it is faster, float32 elsewhere.

bfloat16 has float32's range and 8 bits of significand. That suffices for the products of a network in
training, not for likelihoods, divergences, losses, weights or Adam's moments, which always stay float32.

``auto`` is bfloat16 if both conditions hold, and float32 otherwise:

    the device multiplies it natively    NVIDIA GPUs from Ampere on; CPUs with AMX or AVX-512 BF16 (emulated,
                                         it is slower than float32)
    the network is large enough          a convolution, or a dense layer of at least 512×512 weights: in a
                                         smaller network casts cost what products save

Time per step in float32 and in bfloat16, on one core of an AMD EPYC with AVX-512 BF16 and without AMX,
PyTorch 2.13, batches of 64, channels last:

    vae, mlp 256-256 at 8×8           1.7 ms     1.9 ms
    factor_vae, mlp 256-256 at 8×8     51 ms      31 ms
    vae, conv at 32×32                 20 ms      16 ms
    vae, conv at 64×64                 73 ms      44 ms
    factor_vae, conv at 64×64         122 ms      74 ms

``benchmarks/parity.py`` shows that the learning curves of both differ by no more than those of two seeds.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

__all__ = ["Precision", "check_precision", "resolve_precision"]

Precision = Literal["auto", "float32", "bfloat16"]

LARGE = 512 * 512


def check_precision(precision: str) -> None:
    """Raise a ValueError for anything but auto, float32 and bfloat16."""
    if precision not in ("auto", "float32", "bfloat16"):
        raise ValueError(f"'precision' must be auto, float32 or bfloat16, got {precision!r}")


def resolve_precision(
    precision: Precision, device: torch.device | str, model: nn.Module | None = None
) -> Literal["float32", "bfloat16"]:
    """The precision on ``device``: ``precision`` itself, or what ``auto`` means there (for ``model``)."""
    check_precision(precision)
    if precision != "auto":
        return precision
    return "bfloat16" if _native(torch.device(device)) and (model is None or _large(model)) else "float32"


def _native(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_available() and torch.cuda.get_device_capability(device) >= (8, 0)
    # no release has a public function for this; one without these computes in float32, which is always right
    checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return device.type == "cpu" and any(getattr(torch.cpu, check, bool)() for check in checks)


def _large(model: nn.Module) -> bool:
    return any(
        isinstance(layer, nn.Conv2d) or (isinstance(layer, nn.Linear) and layer.weight.numel() >= LARGE)
        for layer in model.modules()
    )

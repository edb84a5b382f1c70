"""Codes and factors to score: from a made-up model of dSprites with a known code of every image, or from a
file.

    z_k     = (v_k − mean) / deviation + s_k ε_k        k = 0 ... K−1: one code per factor, with s_k = 0.3;
                                                        one code is noisier: s_1 = 1.5
    z_K+k   = 0.02 ε_K+k                                latents that the model hardly uses
    and z_2, z_3 rotated by 30° in their plane          two factors that are not disentangled

v       numbers of the factors' values; dSprites has K = 5 factors of 3, 6, 40, 32, 32 values, so L = 10 codes
ε       standard normal, one number per code and combination of factors, from a fixed seed

So a code, noise included, is a function of the factors, as an encoder's mean is a function of the image. A
metric that draws new images reads their codes from a table of all 737,280 combinations. A metric of a sample
gets 15,000 rows of the same table. So both score the same model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SIZES", "TEST_ROWS", "TRAIN_ROWS", "Table", "from_file", "synthetic"]

SIZES = (3, 6, 40, 32, 32)
TRAIN_ROWS, TEST_ROWS = 10_000, 5_000
NOISE, MUCH_NOISE = 0.3, 1.5
SILENT = 0.02
TURN = math.radians(30)


@dataclass(frozen=True)
class Table:
    """The rows that are scored, and the model that they come from."""

    codes: NDArray[Any]
    """[N, L], the training rows first."""
    factors: NDArray[np.int64]
    """[N, K]"""
    train: int
    """Number of training rows; the other rows are held out."""
    sizes: tuple[int, ...]
    """Number of values of each factor."""
    grid: NDArray[Any] | None = None
    """[product of the sizes, L]: codes of all combinations of factors, in lexicographic order, or None."""
    std: NDArray[Any] | None = None
    """[N, L]: the posteriors' standard deviations; None if unknown."""


def synthetic(train: int, test: int, sizes: Sequence[int] = SIZES, seed: int = 0) -> Table:
    """The model described above, and uniformly drawn rows of it."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.unravel_index(np.arange(math.prod(sizes)), sizes), axis=1)  # [M, K]
    signal = (grid - grid.mean(axis=0)) / grid.std(axis=0)
    scale = np.repeat([NOISE, SILENT], len(sizes))
    scale[1] = MUCH_NOISE
    codes = scale * rng.standard_normal((len(grid), 2 * len(sizes)))
    codes[:, : len(sizes)] += signal
    if len(sizes) > 3:
        turn = np.array([[math.cos(TURN), -math.sin(TURN)], [math.sin(TURN), math.cos(TURN)]])
        codes[:, 2:4] = codes[:, 2:4] @ turn
    rows = rng.integers(len(grid), size=train + test)
    std = np.tile(np.where(scale > SILENT, scale, 1.0), (len(rows), 1))
    return Table(codes[rows], grid[rows], train, tuple(sizes), grid=codes, std=std)


def from_file(path: Path, rows: Sequence[int] | None = None) -> Table:
    """The arrays codes_train, codes_test, factors_train, factors_test of an .npz file.

    ``rows``: the numbers of training and test rows that are read. Raises ValueError if an array is missing or
    too short.
    """
    arrays = np.load(path)
    parts: dict[str, list[NDArray[Any]]] = {"codes": [], "factors": []}
    for split, wanted in zip(("train", "test"), rows or (None, None), strict=True):
        for name, found in parts.items():
            key = f"{name}_{split}"
            if key not in arrays:
                raise ValueError(f"--codes {path}: expected an array {key}, found {', '.join(arrays)}")
            if wanted is not None and wanted > len(arrays[key]):
                raise ValueError(
                    f"--rows: {wanted:,} of {key}, which has {len(arrays[key]):,} rows; give a smaller number"
                )
            found.append(arrays[key][:wanted])
    factors = np.concatenate(parts["factors"]).astype(np.int64)
    sizes = tuple(int(column.max()) + 1 for column in factors.T)
    return Table(np.concatenate(parts["codes"]), factors, len(parts["codes"][0]), sizes)

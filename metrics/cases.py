"""Test arrays for every metric, whose right answer is known: codes that are right or wrong in one way each.

| case        | the codes                                                                             |
|-------------|---------------------------------------------------------------------------------------|
| perfect     | one code per factor, nearly without noise; the others are silent                      |
| permuted    | perfect, codes in another order, rescaled and sign-flipped                            |
| duplicated  | perfect, and every factor a second time in a code of its own                          |
| rotated     | perfect, turned by a random rotation: all information is there, no code is aligned    |
| merged      | perfect, but two factors share one code                                               |
| missing     | perfect, but one factor is in no code                                                 |
| noisy       | one code per factor, as much noise as signal                                          |
| partial     | faint, mixed and noisy at once: no score is at either end of its range                |
| noise       | independent of the factors                                                            |
| constant    | the same for every image                                                              |
| few         | perfect, of 60 images, once each                                                      |

Factors have 3, 4 and 5 values on a full grid of 60 combinations, 50 images each (N = 3,000); L = 6 latents.
Reconstructions, rates and samples are as good or bad as the codes. The cases serve the tests, the table
"which metric punishes what", and anyone who wants to try a metric of their own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics import posterior

__all__ = ["CASES", "LATENTS", "ROWS", "SIZES", "world"]

SIZES = (3, 4, 5)
LATENTS = 6
ROWS = 3000
CASES = (
    "perfect",
    "permuted",
    "duplicated",
    "rotated",
    "merged",
    "missing",
    "noisy",
    "partial",
    "noise",
    "constant",
    "few",
)

# How wrong the reconstructions and samples of a case are: the share of each image that is replaced by noise.
_ERROR = {"noisy": 0.1, "partial": 0.1, "missing": 0.05, "noise": 1.0, "constant": 1.0}


def world(case: str, seed: int = 0) -> dict[str, Any]:
    """All the arrays of the vocabulary (`metrics.vocabulary`) for one case, without `rng`.

    Raises ValueError on an unknown case.
    """
    if case not in CASES:
        raise ValueError(f"unknown case {case!r}; there are: {', '.join(CASES)}")
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*map(np.arange, SIZES), indexing="ij"), axis=-1).reshape(-1, len(SIZES))
    factors = grid if case == "few" else np.tile(grid, (ROWS // len(grid), 1))
    n = len(factors)
    codes = _codes(case, factors, rng)
    std = rng.uniform(0.1, 1.0, size=codes.shape)
    error = _ERROR.get(case, 0.0)
    images = _images(factors, rng)
    shift = rng.random(images.shape)
    groups = posterior.rates(codes, std)
    fresh = _images(grid[rng.integers(len(grid), size=n)], rng)
    peers = [_codes(case, factors, np.random.default_rng(1000 + seed + p)) for p in range(3)]
    orders = [np.random.default_rng(2000 + seed + p).permutation(LATENTS) for p in range(3)]
    return {
        "codes": codes,
        "mean": codes,
        "std": std,
        "factors": factors,
        "labels": factors[:, 0],
        "targets": factors,
        "test": rng.permuted(np.arange(n) % 5 == 0),
        "images": images,
        "reconstructions": images + error * (shift - images),
        "real": images,
        "samples": fresh + error * (rng.random(images.shape) - fresh),
        "distortion": 10 + 100 * error + rng.random(n),
        "rate": groups.sum(axis=1),
        "rate_per_group": groups,
        "peer_mean": np.stack([codes[:, order] for codes, order in zip(peers, orders, strict=True)]),
        "peer_std": np.stack([std[:, order] for order in orders]),
        "dimensions": images[0].size,
        "bin_width": 1.0,
    }


def _codes(case: str, factors: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float64]:
    """Codes [N, L] of one case."""
    n, k = factors.shape
    if case == "constant":
        return np.full((n, LATENTS), 0.3)
    signal = (factors - factors.mean(axis=0)) / factors.std(axis=0)
    noise = rng.normal(size=(n, LATENTS))
    if case == "noise":
        return noise
    codes = {"noisy": 1.0, "partial": 0.7}.get(case, 0.02) * noise
    codes[:, :k] += signal
    if case == "partial":
        codes[:, :3] -= signal * [0, 0.5, 0.85]  # the second factor is faint, the third nearly lost
        codes[:, 3] += 0.8 * signal[:, 0]
        codes[:, 0] += 0.5 * signal[:, 1]
    elif case == "permuted":
        order = np.random.default_rng(11).permutation(LATENTS)
        codes = codes[:, order] * [-1.0, 2.5, -0.4, 1.0, -3.0, 0.7]
    elif case == "duplicated":
        codes[:, k : 2 * k] += signal
    elif case == "rotated":
        turn, _ = np.linalg.qr(np.random.default_rng(rng.integers(2**32)).normal(size=(LATENTS, LATENTS)))
        codes = codes @ turn
    elif case == "merged":
        codes[:, 0] += signal[:, 1] * 0.5  # 12 distinct sums, in one code
        codes[:, 1] -= signal[:, 1]
    elif case == "missing":
        codes[:, 2] -= signal[:, 2]
    return codes


def _images(factors: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float64]:
    """Images [N, 1, 16, 16] in [0, 1]: noise and a soft spot; factors set its place, width and brightness."""
    a, b, c = (column[:, None, None] / (size - 1) for column, size in zip(factors.T, SIZES, strict=True))
    row, column = np.meshgrid(np.arange(16), np.arange(16), indexing="ij")
    distance = (row - 4 - 8 * a) ** 2 + (column - 8) ** 2
    spot = (0.3 + 0.6 * c) * np.exp(-distance / (2 * (1.5 + 2 * b) ** 2))
    return (0.9 * spot + 0.05 * rng.random(spot.shape))[:, None]

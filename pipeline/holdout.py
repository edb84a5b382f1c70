"""Which images are held out from training.

A fraction p of N images is round(p N) of them, drawn without replacement by a seed of its own, so that the part is
the same for every model of a study. Where there are labels it is stratified: of a class of n images, p n are held out,
up to rounding (the largest remainders are rounded up).
"""

from __future__ import annotations

import numpy as np

__all__ = ["hold_out"]


def hold_out(count: int, fraction: float, seed: int, labels: np.ndarray | None = None) -> np.ndarray | None:
    """bool [count], true where held out; None for a fraction of 0: all are trained on.

    Args:
        labels: int [count], for a stratified draw.

    Raises:
        ValueError: so few images that the fraction holds out none, or all.
    """
    if fraction == 0:
        return None
    total = int(np.floor(fraction * count + 0.5))
    if not 0 < total < count:
        raise ValueError(
            f"of {count} images a fraction of {fraction} holds out {total}; some must be on either side"
        )
    classes = np.zeros(count, dtype=np.int64) if labels is None else np.unique(labels, return_inverse=True)[1]
    exact = np.bincount(classes) * (total / count)
    quota = np.floor(exact).astype(np.int64)
    largest = np.argsort(quota - exact, kind="stable")[: total - quota.sum()]
    quota[largest] += 1

    order = np.random.default_rng(seed).permutation(count)
    test = np.zeros(count, dtype=bool)
    for number, size in enumerate(quota):
        test[order[classes[order] == number][:size]] = True
    return test

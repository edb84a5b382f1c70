"""Checked pairs of images and reconstructions, for the metrics that compare the two."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import ArrayLike, NDArray

from metrics import arrays

__all__ = ["checked", "chunks"]


def checked(images: ArrayLike, reconstructions: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Images in [0, 1] and finite reconstructions, both [N, C, H, W], as arrays.

    Reconstructions may leave [0, 1]. Raises ValueError when the shapes differ, an image leaves [0, 1] or a
    reconstruction is not finite.
    """
    x = arrays.fraction_images("images", images)
    y = arrays.real("reconstructions", reconstructions, "N, C, H, W")
    if x.shape != y.shape:
        raise ValueError(
            f"reconstructions: expected the shape of images {list(x.shape)}, got {list(y.shape)}; "
            "pass the reconstruction of each image, in the same order"
        )
    return x, y


def chunks(images: NDArray[Any], values: int) -> Iterator[slice]:
    """Images [N, C, H, W] -> slices of rows with at most `values` values each, but at least one row."""
    step = max(1, values // images[0].size)
    for start in range(0, len(images), step):
        yield slice(start, start + step)

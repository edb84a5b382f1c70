"""Stamps: noisy images of single galaxies, each in a random pose, and the attributes that describe them.

    x = m + (1 - 2m) f / max f + σ ε,    m = 5σ,    ε ~ N(0, 1) of every pixel,    stored as round(255 x)

    f    a galaxy in its pose, without noise (``pipeline/data/shared/galaxies.py``)
    σ    of white noise, the same in every pixel, in units of the range [0, 1]

The pose and the noise of stamp k depend on the seed and on k alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pipeline.data.shared import galaxies
from pipeline.data.shared.galaxies import Catalogue

__all__ = ["CATALOGUED", "CLIPPED", "MARGIN", "POSED", "Poses", "attributes", "catalogued", "draw", "poses"]

MARGIN = 5.0
"""Distance of the sky and of the brightest pixel from the ends of the range, in σ."""
CLIPPED = 2.9e-7
"""The largest fraction of pixels that are clipped: that of a Gaussian beyond 5σ on one side."""
BLOCK = 256
"""Stamps drawn at a time."""

CATALOGUED = ("mag_auto", "log_flux", "log_flux_radius", "log_hlr", "log_sersic_n", "axis_ratio", "zphot")
"""Attributes of a galaxy."""
POSED = ("cos_2phi", "sin_2phi", "shift_x", "shift_y")
"""Attributes of a stamp."""


class Poses(NamedTuple):
    """The poses of N stamps."""

    angles: np.ndarray
    """float64 [N], 0 to 2π."""
    mirrored: np.ndarray
    """bool [N]."""
    shifts: np.ndarray
    """float64 [N, 2], -0.5 to 0.5, in pixels."""


def poses(count: int, seed: int) -> Poses:
    """Draw the poses of ``count`` stamps, row by row, so that a pose depends on the stamp's number alone."""
    uniform = np.random.default_rng([seed, 0]).random((count, 4))
    return Poses(2 * np.pi * uniform[:, 0], uniform[:, 1] < 0.5, uniform[:, 2:] - 0.5)


def catalogued(catalogue: Catalogue) -> np.ndarray:
    """float64 [G, 7]: the attributes ``CATALOGUED``; not finite if a value has no logarithm."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack(
            [
                catalogue["mag_auto"],
                np.log10(galaxies.flux(catalogue)),
                np.log10(catalogue["flux_radius"]),
                np.log10(catalogue["hlr"][:, 0]),
                np.log10(catalogue["sersicfit"][:, 2]),
                catalogue["sersicfit"][:, 3],
                catalogue["zphot"],
            ],
            axis=1,
        )


def attributes(catalogue: Catalogue, rows: np.ndarray, poses: Poses) -> np.ndarray:
    """float32 [N, 11]: the attributes ``CATALOGUED`` and ``POSED``.

    Args:
        rows: int [N], the galaxy of each stamp.
    """
    own = catalogue["sersicfit"][rows, 7]
    phi = poses.angles + np.where(poses.mirrored, -own, own)
    posed = np.column_stack([np.cos(2 * phi), np.sin(2 * phi), poses.shifts])
    return np.concatenate([catalogued(catalogue)[rows], posed], axis=1).astype(np.float32)


def draw(
    catalogue: Catalogue,
    rows: np.ndarray,
    poses: Poses,
    *,
    noise: float,
    seed: int,
    size: int,
    pixel_scale: float,
    shift_scale: float,
    psf_fwhm: float,
) -> Iterator[np.ndarray]:
    """uint8 [n, 1, size, size] at a time.

    Args:
        rows: int [N], the galaxy of each stamp.
        noise: σ, in units of the range.
        pixel_scale: arcseconds along a pixel's side.
        shift_scale: arcseconds of a shift by 1.
        psf_fwhm: full width at half maximum of the Gaussian PSF, arcseconds.
    """
    margin = MARGIN * noise
    for start in range(0, len(rows), BLOCK):
        numbers = range(start, min(start + BLOCK, len(rows)))
        block = np.empty((len(numbers), 1, size, size), dtype=np.uint8)
        for image, k in zip(block, numbers, strict=True):
            x, y = (shift_scale * poses.shifts[k]).tolist()
            light = galaxies.stamp(
                galaxies.profile(catalogue, int(rows[k])),
                galaxies.Pose(float(poses.angles[k]), bool(poses.mirrored[k]), (x, y)),
                size=size,
                pixel_scale=pixel_scale,
                psf_fwhm=psf_fwhm,
            )
            epsilon = np.random.default_rng([seed, 1, k]).standard_normal((size, size))
            value = margin + (1 - 2 * margin) * light / light.max() + noise * epsilon
            image[0] = np.rint(255 * np.clip(value, 0, 1))
        yield block

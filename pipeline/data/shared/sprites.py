"""The geometry of dSprites: three outlines, placed and rasterised, exactly as the published images have them.

    outline  p_k = (X_k, Y_k), k = 1..V, in pixels at scale 1, x to the right, y down
    placed   x_k = c_x + s ( cos θ X_k + sin θ Y_k)      s = 0.5 + 0.1 i,  θ = 2π o / 39 (counter-clockwise)
             y_k = c_y + s (-sin θ X_k + cos θ Y_k)      c = 16 + 32 j / 31, not rounded to pixels
             both rounded to 1/256 pixel
    pixel    (row r, column c) is lit iff its centre (c + 1/2, r + 1/2) lies inside by the even-odd rule; a
             centre on an edge counts as inside on bottom and left edges. No anti-aliasing.

A row of 64 pixels is one 64-bit word. An edge that crosses the row's centre line at x toggles every pixel
whose centre is at x or right of it: the row is the exclusive-or of one mask per crossing edge. The rows that
an edge crosses depend only on its y coordinates, so the crossings for one (pose, position in y) serve all
positions in x at once. All coordinates are integers (1/256 pixel), so that no image depends on how a machine
rounds a division.

Loic Matthey, Irina Higgins, Demis Hassabis, Alexander Lerchner, "dSprites: Disentanglement testing Sprites
dataset", 2017, https://github.com/google-deepmind/dsprites-dataset (Apache License 2.0). The outlines and the
rules were inferred from published frames. The 320 frames in tests/fixtures are reproduced pixel for pixel,
and all images together have 128,328,864 lit pixels; the published mean corresponds to 128,328,862.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["OUTLINES", "SIZE", "centre", "description", "draw", "placed"]

SIZE = 64
"""Pixels along a side."""
STEPS = 256
"""Vertices lie on a lattice of this many points per pixel."""
RADIUS = 9.6
"""Half the side of the square at scale 1, in pixels; the unit of the other outlines."""
PERIOD = 39
"""Orientation steps in a full turn: the fortieth orientation is the first again."""

# A row whose pixels from column c on are lit; no pixel for c = 64. Column 0 is the highest bit.
FROM_COLUMN = np.array([((1 << SIZE) - 1) >> column for column in range(SIZE + 1)], dtype=np.uint64)


def _square() -> np.ndarray:
    return RADIUS * np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]], dtype=np.float64)


def _ellipse() -> np.ndarray:
    angle = 2 * np.pi * np.arange(100) / 100
    stretch = 1.33
    return RADIUS * np.stack([stretch * np.cos(angle), np.sin(angle) / stretch], axis=1)


def _heart() -> np.ndarray:
    t = 2 * np.pi * np.arange(150) / 150
    lobes = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([RADIUS * np.sin(t) ** 3, -(2 * RADIUS / 29 * lobes + 1.44)], axis=1)


OUTLINES: dict[str, np.ndarray] = {"square": _square(), "ellipse": _ellipse(), "heart": _heart()}
"""Shape -> float64 [V, 2] vertices (x, y) in pixels at scale 1, in the order of the shape factor."""


def description() -> dict[str, Any]:
    """The geometry as plain values, from which the data set is drawn instead of downloaded."""
    return {
        "what": "dSprites as geometry",
        "size": SIZE,
        "steps_per_pixel": STEPS,
        "scale": {"from": 0.5, "step": 0.1},
        "orientation": {"steps_in_a_turn": PERIOD},
        "position": {"from": 16, "to": 48, "steps": 31},
        # Ten decimals: far finer than the lattice, coarser than the last bits in which machines differ.
        "outlines": {name: np.round(outline, 10).tolist() for name, outline in OUTLINES.items()},
    }


def draw(shape: str, scale: int, orientation: int, pos_x: np.ndarray, pos_y: np.ndarray) -> np.ndarray:
    """One pose at every combination of positions.

    Args:
        shape: a key of :data:`OUTLINES`.
        scale, orientation: factor indices.
        pos_x, pos_y: int [P], [Q], factor indices.

    Returns:
        uint64 [P, Q, 64]: a word per row of the image, its leftmost pixel the highest bit.
    """
    dx, dy = placed(OUTLINES[shape], scale, orientation)
    x0 = _lattice(centre(pos_x)[:, None] + dx)  # [P, V]
    y0 = _lattice(centre(pos_y)[:, None] + dy)  # [Q, V]
    x1, y1 = np.roll(x0, -1, axis=1), np.roll(y0, -1, axis=1)

    # The rows r with low < centre(r) <= high: bottom edges count, top edges do not.
    half = STEPS // 2
    low, high = np.minimum(y0, y1), np.maximum(y0, y1)
    first = (low - half) // STEPS + 1
    count = (high - half) // STEPS + 1 - first  # [Q, V]
    flat = np.repeat(np.arange(count.size), count.ravel())  # [K] crossings: which (position, edge)
    within = np.arange(len(flat)) - np.repeat(np.cumsum(count) - count.ravel(), count.ravel())
    row = first.ravel()[flat] + within
    place = flat // y0.shape[1] * SIZE + row  # [K] which row of which image
    order = np.argsort(place, kind="stable")
    flat, row, place = flat[order], row[order], place[order]
    edge = flat % y0.shape[1]

    # Centre lines meet edges at x0 + below (x1 - x0) / rise; the first column there, in exact integers.
    rise = (y1 - y0).ravel()[flat]  # [K], never 0: such an edge has no rows
    below = (STEPS * row + half) - y0.ravel()[flat]
    sign = np.sign(rise)
    start, run = x0[:, edge], (x1 - x0)[:, edge]  # [P, K]
    numerator = (start - half) * np.abs(rise) + (sign * below) * run
    column = -(-numerator // (STEPS * np.abs(rise)))

    words = np.zeros((len(x0), len(y0) * SIZE), dtype=np.uint64)
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    words[:, place[starts]] = np.bitwise_xor.reduceat(FROM_COLUMN[column], starts, axis=1)
    return words.reshape(len(x0), len(y0), SIZE)


def placed(outline: np.ndarray, scale: int, orientation: int) -> tuple[np.ndarray, np.ndarray]:
    """An outline [V, 2] scaled and turned: x [V] and y [V] in pixels from its centre."""
    s, angle = 0.5 + 0.1 * scale, 2 * np.pi * orientation / PERIOD
    X, Y = outline.T
    return s * (np.cos(angle) * X + np.sin(angle) * Y), s * (-np.sin(angle) * X + np.cos(angle) * Y)


def centre(position: np.ndarray) -> np.ndarray:
    """Where the centre lies, in pixels, for position indices."""
    return 16 + 32 * np.asarray(position) / 31


def _lattice(coordinates: np.ndarray) -> np.ndarray:
    return np.rint(STEPS * coordinates).astype(np.int64)

"""Arrays in blocks are the arrays that numpy writes and reads."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from pipeline.store import npy

ARRAY = np.random.default_rng(0).integers(0, 256, (25, 3, 4), dtype=np.uint8)


def written(array: np.ndarray, **options: object) -> io.BytesIO:
    file = io.BytesIO()
    np.save(file, array, **options)  # type: ignore[arg-type]
    file.seek(0)
    return file


@pytest.mark.parametrize("rows", [1, 7, 25, None])
@pytest.mark.parametrize("array", [ARRAY, ARRAY.astype(">f8"), ARRAY[:0], ARRAY[:, 0, 0]])
def test_blocks_make_the_array(array: np.ndarray, rows: int | None):
    file = written(array)
    shape, dtype = npy.header(file)
    found = list(npy.blocks(file, shape, dtype, rows))
    assert (shape, dtype) == (array.shape, array.dtype)
    assert all(0 < len(block) <= (rows or 25) for block in found)
    np.testing.assert_array_equal(np.concatenate([array[:0], *found]), array)


def test_an_array_cut_short_another_order_and_objects_are_refused():
    short = io.BytesIO(written(ARRAY).getvalue()[:-1])
    with pytest.raises(ValueError, match="the array ends within rows 20 to 24 of 25"):
        list(npy.blocks(short, *npy.header(short), rows=10))
    with pytest.raises(ValueError, match="Fortran order"):
        npy.header(written(np.asfortranarray(ARRAY)))
    with pytest.raises(ValueError, match="Python objects"):
        npy.header(written(np.array([None, {}])))


def test_a_damaged_header_is_a_value_error():
    whole = written(ARRAY).getvalue()
    rng = np.random.default_rng(0)
    for _ in range(500):
        damaged = bytearray(whole[:130])
        damaged[rng.integers(len(damaged))] = rng.integers(256)
        file = io.BytesIO(damaged[: rng.integers(len(damaged) + 1)])
        with suppress(ValueError):
            npy.header(file)


@pytest.mark.parametrize("places", [None, np.random.default_rng(1).permutation(25)])
def test_what_is_saved_in_blocks_is_what_numpy_loads(tmp_path: Path, places: np.ndarray | None):
    path = tmp_path / "images.npy"
    npy.save(path, [ARRAY[:10], ARRAY[10:24], ARRAY[24:]], ARRAY.shape, places)
    expected = ARRAY if places is None else ARRAY[np.argsort(places)]
    np.testing.assert_array_equal(np.load(path), expected)
    assert b"".join(npy.pieces(path)) == expected.tobytes()
    assert path.stat().st_size == len(written(ARRAY).getvalue()), "the same file as numpy's"


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([ARRAY[:20]], "got 20 images, expected 25"),
        ([ARRAY, ARRAY[:1]], "got more than 25 images"),
        ([ARRAY[:, :2]], r"uint8 \[25, 2, 4\], expected uint8 \[n, 3, 4\]"),
        ([ARRAY.astype(np.int16)], "int16"),
    ],
)
def test_blocks_that_do_not_make_the_array_are_refused(
    tmp_path: Path, blocks: list[np.ndarray], message: str
):
    with pytest.raises(ValueError, match=message):
        npy.save(tmp_path / "images.npy", blocks, ARRAY.shape)


@pytest.mark.parametrize("places", [np.zeros(25, int), np.arange(24), np.arange(1, 26)])
def test_places_that_leave_a_row_empty_are_refused(tmp_path: Path, places: np.ndarray):
    with pytest.raises(ValueError, match="places are not the rows 0 to 24, each once"):
        npy.save(tmp_path / "images.npy", [ARRAY], ARRAY.shape, places)
    assert not list(tmp_path.iterdir())

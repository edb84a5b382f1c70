"""3D Shapes: a file in the published layout is read whatever its chunks are; other files are refused."""

from __future__ import annotations

import hashlib
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.data.arrays.grid import factor_table, rows
from pipeline.data.arrays.shrink import shrink
from pipeline.data.datasets import shapes3d
from pipeline.errors import UserError
from tests.pipeline.whole import serving, whole

SMALL = {"floor_hue": 3, "wall_hue": 2, "object_hue": 2, "scale": 2, "shape": 4, "orientation": 2}
N = 192
IMAGES = np.random.default_rng(0).integers(0, 256, (N, 64, 64, 3), dtype=np.uint8)
VALUES = {
    "floor_hue": [0.0, 0.1, 0.2],
    "wall_hue": [0.0, 0.5],
    "object_hue": [0.3, 0.9],
    "scale": [0.75, 1.25],
    "shape": [0.0, 1.0, 2.0, 3.0],
    "orientation": [-30.0, 30.0],
}
LABELS = np.stack([axis.ravel() for axis in np.meshgrid(*VALUES.values(), indexing="ij")], axis=1)
CHUNKS = [None, (1, 64, 64, 3), (50, 16, 16, 1), (7, 64, 64, 3), (192, 32, 32, 3)]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes3d, "SIZES", SMALL)


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``raw(chunks, ...)``: the data set's folder with such a file in it, as if it were the published one."""

    def write(chunks: tuple[int, ...] | None = (50, 16, 16, 1), **replaced: np.ndarray | None) -> Path:
        path = tmp_path / "shapes3d" / "3dshapes.h5"
        path.parent.mkdir(exist_ok=True)
        with h5py.File(path, "w") as file:
            for name, array in {"images": IMAGES, "labels": LABELS, **replaced}.items():
                if array is not None:
                    packed = chunks is not None and array.shape == IMAGES.shape and name == "images"
                    file.create_dataset(
                        name, data=array, **({"chunks": chunks, "compression": "gzip"} if packed else {})
                    )
        pinned(path, monkeypatch)
        return path.parent

    return write


def pinned(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    file = replace(shapes3d.FILES[0], checksum=f"sha256:{digest}", size=path.stat().st_size)
    monkeypatch.setattr(shapes3d, "FILES", (file,))


def options(**given: Any) -> shapes3d.Options:
    return shapes3d.Options.model_validate(given)


# --- the published layout -----------------------------------------------------------------------------------


def test_the_published_file_is_fetched_once_and_is_read_pixel_for_pixel(raw: Any, tmp_path: Path):
    published, folder = raw(), tmp_path / "fetched"
    with serving(published) as address:
        shapes3d.fetch(options(mirror=address), folder)
    before = (folder / "3dshapes.h5").stat().st_mtime_ns
    shapes3d.fetch(options(mirror=address), folder)  # nobody serves it any more
    assert (folder / "3dshapes.h5").stat().st_mtime_ns == before
    prepared = shapes3d.prepare(options(), folder)
    np.testing.assert_array_equal(whole(prepared), IMAGES.transpose(0, 3, 1, 2))
    assert (prepared.storage, prepared.shape, prepared.count) == ("uint8", (3, 64, 64), N)
    assert prepared.factor_names == tuple(SMALL)
    assert prepared.factor_sizes == tuple(SMALL.values())
    assert prepared.grid
    assert prepared.factors is not None
    np.testing.assert_array_equal(prepared.factors, factor_table(prepared.factor_sizes))
    named = np.stack([np.array(VALUES[name])[prepared.factors[:, k]] for k, name in enumerate(SMALL)], axis=1)
    np.testing.assert_array_equal(named, LABELS)
    assert prepared.details["factor_values"] == VALUES


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("largest", [256 << 20, 40 * shapes3d.IMAGE_BYTES])
def test_the_chunks_make_no_difference(
    raw: Any, chunks: tuple[int, ...] | None, largest: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shapes3d, "BLOCK", 10 * shapes3d.IMAGE_BYTES)
    monkeypatch.setattr(shapes3d, "LARGEST", largest)
    prepared = shapes3d.prepare(options(), raw(chunks))
    np.testing.assert_array_equal(whole(prepared), IMAGES.transpose(0, 3, 1, 2))


def test_a_subset_is_a_full_grid_of_the_images_it_names(raw: Any):
    prepared = shapes3d.prepare(options(subset={"floor_hue": [2, 0], "scale": [1], "shape": 2}), raw())
    assert prepared.factor_sizes == (2, 2, 2, 1, 2, 2)
    assert prepared.factors is not None
    np.testing.assert_array_equal(prepared.factors, factor_table(prepared.factor_sizes))
    kept = prepared.details["factor_indices"]
    assert (kept["floor_hue"], kept["scale"], kept["shape"]) == ([0, 2], [1], [0, 3])
    assert prepared.details["factor_values"]["floor_hue"] == [0.0, 0.2]
    original = np.stack(
        [np.array(kept[name])[prepared.factors[:, k]] for k, name in enumerate(SMALL)], axis=1
    )
    expected = IMAGES[rows(original, tuple(SMALL.values()))].transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(whole(prepared), expected)


def test_scaled_down_images_are_averages_of_the_published_ones(raw: Any):
    prepared = shapes3d.prepare(options(image_size=24), raw())
    assert prepared.shape == (3, 24, 24)
    np.testing.assert_array_equal(whole(prepared), shrink(IMAGES.transpose(0, 3, 1, 2).copy(), 24))


# --- memory -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 999, 480_000])
@pytest.mark.parametrize("chunk", [1, 7, 1000, 15_000, 21_846, 480_000])
def test_rows_are_read_in_whole_chunks_once_and_never_too_many(count: int, chunk: int):
    found = list(shapes3d.spans(count, chunk))
    assert [start for start, _ in found] == [0, *(stop for _, stop in found[:-1])]
    assert found[-1][1] == count
    assert max(stop - start for start, stop in found) * shapes3d.IMAGE_BYTES <= shapes3d.LARGEST
    if chunk * shapes3d.IMAGE_BYTES <= shapes3d.LARGEST:
        assert all(start % chunk == 0 for start, _ in found)
    else:
        assert {start // chunk for start, _ in found} == {(stop - 1) // chunk for _, stop in found}


def test_chunks_without_a_chosen_image_are_not_read(raw: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shapes3d, "BLOCK", shapes3d.IMAGE_BYTES)
    asked = []
    get = h5py.Dataset.__getitem__
    monkeypatch.setattr(
        h5py.Dataset,
        "__getitem__",
        lambda dataset, key: asked.append((dataset.name, key)) or get(dataset, key),
    )
    prepared = shapes3d.prepare(options(subset={"floor_hue": [1], "wall_hue": [0]}), raw((24, 64, 64, 3)))
    assert len(whole(prepared)) == 32
    assert [key for name, key in asked if name == "/images"] == [slice(48, 72), slice(72, 96)]


def test_images_come_in_pieces_and_are_never_all_in_memory(raw: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shapes3d, "BLOCK", 4 * shapes3d.IMAGE_BYTES)
    folder = raw((8, 64, 64, 1))
    tracemalloc.start()
    try:
        sizes = [len(block) for block in shapes3d.prepare(options(), folder).blocks]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(sizes) == N
    assert max(sizes) == 4
    assert peak < IMAGES.nbytes / 3


# --- what is not the published file -------------------------------------------------------------------------


def shuffled_labels() -> np.ndarray:
    labels = LABELS.copy()
    labels[[10, 11]] = labels[[11, 10]]
    return labels


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"labels": None}, "no array 'labels'; it has: images"),
        ({"images": None}, "no array 'images'; it has: labels"),
        (
            {"images": IMAGES[:100]},
            r"images should be uint8 \[192, 64, 64, 3\], found uint8 \[100, 64, 64, 3\]",
        ),
        ({"images": IMAGES.astype(np.int16)}, "found int16"),
        ({"labels": LABELS.astype(np.float32)}, r"labels should be float64 \[192, 6\], found float32"),
        ({"labels": LABELS[:, :5]}, r"found float64 \[192, 5\]"),
        (
            {"labels": LABELS[::-1]},
            r"column 0 of labels \(floor_hue\) is not in lexicographic order: row 0 should have 0",
        ),
        (
            {"labels": shuffled_labels()},
            r"\(orientation\) .* row 10 should have -30, found 30 \(2 such rows\)",
        ),
        (
            {"labels": LABELS * (np.arange(6) != 3)},
            r"column 3 of labels \(scale\) should have 2 values, found 1: 0",
        ),
        (
            {"labels": np.where(LABELS == 3, np.nan, LABELS)},
            r"\(shape\) should have 4 values, found 4: 0, 1, 2, nan",
        ),
        ({"labels": LABELS + np.arange(N)[:, None]}, r"should have 3 values, found .*, \.\.\."),
    ],
)
def test_another_layout_is_refused(raw: Any, replaced: dict[str, np.ndarray | None], message: str):
    folder = raw(**replaced)
    with pytest.raises(UserError, match=f"3dshapes.h5 is not 3D Shapes in its published layout: .*{message}"):
        shapes3d.prepare(options(), folder)


def test_a_group_where_an_array_should_be_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with h5py.File(tmp_path / "3dshapes.h5", "w") as file:
        file.create_group("images")
        file["labels"] = h5py.Empty("f8")
    pinned(tmp_path / "3dshapes.h5", monkeypatch)
    with pytest.raises(UserError, match="no array 'images'"):
        shapes3d.prepare(options(), tmp_path)


@pytest.mark.parametrize("damage", ["text", "cut"])
def test_a_foreign_or_truncated_file_is_refused(raw: Any, damage: str, monkeypatch: pytest.MonkeyPatch):
    path = raw() / "3dshapes.h5"
    path.write_bytes(b"not HDF5" * 1000 if damage == "text" else path.read_bytes()[:-1000])
    pinned(path, monkeypatch)
    with pytest.raises(
        UserError, match=r"published layout: .*(signature not found|truncated).*fetch@shapes3d"
    ):
        shapes3d.prepare(options(), path.parent)


def test_a_damaged_chunk_is_an_error_when_it_is_read(raw: Any, monkeypatch: pytest.MonkeyPatch):
    path = raw((64, 64, 64, 3)) / "3dshapes.h5"
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = bytes(2000)
    path.write_bytes(content)
    pinned(path, monkeypatch)
    prepared = shapes3d.prepare(options(), path.parent)
    with pytest.raises(UserError, match=r"published layout: .*fetch@shapes3d"):
        whole(prepared)


def test_a_raw_file_that_was_changed_is_an_error(raw: Any):
    folder = raw()
    with (folder / "3dshapes.h5").open("ab") as file:
        file.write(b"more")
    with pytest.raises(UserError, match=r"its checksum differs.*fetch@shapes3d"):
        shapes3d.prepare(options(), folder)


# --- options ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"subset": {"colour": 1}}, "there is no factor 'colour'; factors: floor_hue, wall_hue"),
        ({"subset": {"shape": 5}}, "factor 'shape' has 4 values: keep 1 to 4 of them, got 5"),
        ({"subset": {"scale": [2]}}, "has the indices 0 to 1"),
        ({"image_size": 65}, "scaled down only, from 64 pixels along a side to 8"),
        ({"mirror": "ftp://example.org"}, "ftp:// is not supported"),
        ({"checksum": "sha256:0"}, "Extra inputs"),
    ],
)
def test_options_that_cannot_be_are_refused(given: dict[str, Any], message: str):
    with pytest.raises(ValidationError, match=message):
        options(**given)


def test_the_card_is_of_the_whole_data_set():
    assert np.prod(tuple(shapes3d.ABOUT.factors.values())) == 480_000
    assert [file.name for file in shapes3d.ABOUT.files] == ["3dshapes.h5"]

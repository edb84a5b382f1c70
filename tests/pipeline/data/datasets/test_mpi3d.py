"""The three data sets of MPI3D: archives in the published layout, stored or compressed, of either grid."""

from __future__ import annotations

import hashlib
import importlib
import io
import re
import struct
import tracemalloc
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.data.arrays.grid import factor_table, rows
from pipeline.data.arrays.shrink import shrink
from pipeline.data.files.download import CHECKSUM_PATTERN
from pipeline.data.shared import mpi3d
from pipeline.errors import UserError
from pipeline.store import npy
from pipeline.study.folders import members
from tests.pipeline.whole import serving, whole

NAMES = [name for name in members("pipeline.data.datasets") if name.startswith("mpi3d_")]
SMALL = dict(zip(mpi3d.SIZES, (3, 2, 2, 3, 1, 2, 2), strict=True))
SMALL_OLDER = {**SMALL, "object_color": 2, "object_shape": 1}
N, N_OLDER = 144, 48
IMAGE_BYTES = 64 * 64 * 3
IMAGES = np.random.default_rng(0).integers(0, 256, (N, 64, 64, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpi3d, "SIZES", SMALL)
    monkeypatch.setattr(mpi3d, "OLDER", SMALL_OLDER)


@pytest.fixture(params=NAMES)
def dataset(request: pytest.FixtureRequest) -> ModuleType:
    return importlib.import_module(f"pipeline.data.datasets.{request.param}")


@pytest.fixture
def toy() -> ModuleType:
    return importlib.import_module("pipeline.data.datasets.mpi3d_toy")


def array_bytes(images: np.ndarray, shape: tuple[int, ...] | None = None, fortran: bool = False) -> bytes:
    """The bytes of a .npy file, version 1.0: magic, version, length, padded header, content."""
    described = (
        f"{{'descr': '{images.dtype.str}', 'fortran_order': {fortran}, 'shape': {shape or images.shape}, }}"
    )
    described += " " * (-(10 + len(described) + 1) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(described)) + described.encode() + images.tobytes()


def archive_bytes(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Of a .npz file as numpy writes it: a zip archive of .npy files, with 64-bit lengths."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(content)
    return buffer.getvalue()


def misplaced(archive: bytes) -> bytes:
    """The archive with an index that claims to be larger than the file: it would begin before it."""
    end = archive.rindex(b"PK\x05\x06")
    return archive[: end + 12] + struct.pack("<I", 1 << 30) + archive[end + 16 :]


def put(dataset: ModuleType, root: Path, content: bytes, **given: Any) -> tuple[Any, Path]:
    """Options and folder of a data set whose raw file has this content."""
    path = root / dataset.__name__.rpartition(".")[2] / dataset.ABOUT.files[0].name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return dataset.Options.model_validate({"checksum": f"sha256:{digest}", **given}), path.parent


# --- the published layout -----------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_the_published_file_is_fetched_once_and_is_read_pixel_for_pixel(
    dataset: ModuleType, compression: int, tmp_path: Path
):
    content = archive_bytes({"images.npy": array_bytes(IMAGES)}, compression)
    options, published = put(dataset, tmp_path, content)
    folder = tmp_path / "fetched"
    with serving(published) as address:
        options = options.model_copy(update={"mirror": address})
        dataset.fetch(options, folder)
    dataset.fetch(options, folder)  # nobody serves it any more
    assert (folder / dataset.ABOUT.files[0].name).read_bytes() == content
    prepared = dataset.prepare(options, folder)
    np.testing.assert_array_equal(whole(prepared), IMAGES.transpose(0, 3, 1, 2))
    assert (prepared.storage, prepared.shape, prepared.count) == ("uint8", (3, 64, 64), N)
    assert prepared.factor_names == tuple(SMALL)
    assert prepared.factor_sizes == tuple(SMALL.values())
    assert prepared.grid
    assert prepared.factors is not None
    np.testing.assert_array_equal(prepared.factors, factor_table(tuple(SMALL.values())))


def test_what_numpy_writes_is_read(toy: ModuleType, tmp_path: Path):
    buffer = io.BytesIO()
    np.savez(buffer, images=IMAGES)
    prepared = toy.prepare(*put(toy, tmp_path, buffer.getvalue()))
    np.testing.assert_array_equal(whole(prepared), IMAGES.transpose(0, 3, 1, 2))


def test_the_number_of_images_identifies_the_grid(dataset: ModuleType, tmp_path: Path):
    """Of real images there is no smaller grid."""
    content = archive_bytes({"images.npy": array_bytes(IMAGES[:N_OLDER])})
    options, folder = put(dataset, tmp_path, content)
    if folder.name == "mpi3d_real":
        with pytest.raises(UserError, match=r"it should have 144 \(3×2×2×3×1×2×2\) images, found 48\. "):
            dataset.prepare(options, folder)
        return
    prepared = dataset.prepare(options, folder)
    assert prepared.factor_sizes == tuple(SMALL_OLDER.values())
    np.testing.assert_array_equal(prepared.factors, factor_table(tuple(SMALL_OLDER.values())))
    np.testing.assert_array_equal(whole(prepared), IMAGES[:N_OLDER].transpose(0, 3, 1, 2))


@pytest.mark.parametrize(("sizes", "count"), [(SMALL, N), (SMALL_OLDER, N_OLDER)])
def test_a_subset_is_a_full_grid_of_the_images_it_names(
    sizes: dict[str, int], count: int, toy: ModuleType, tmp_path: Path
):
    content = archive_bytes({"images.npy": array_bytes(IMAGES[:count])}, zipfile.ZIP_DEFLATED)
    subset = {"object_color": [1], "camera_height": 2, "vertical_axis": [1]}
    prepared = toy.prepare(*put(toy, tmp_path, content, subset=subset))
    kept = prepared.details["factor_indices"]
    assert (kept["object_color"], kept["camera_height"], kept["vertical_axis"]) == ([1], [0, 2], [1])
    assert prepared.factor_sizes == (1, sizes["object_shape"], 2, 2, 1, 2, 1)
    np.testing.assert_array_equal(prepared.factors, factor_table(prepared.factor_sizes))
    original = np.stack(
        [np.array(kept[name])[prepared.factors[:, k]] for k, name in enumerate(sizes)], axis=1
    )
    expected = IMAGES[rows(original, tuple(sizes.values()))].transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(whole(prepared), expected)


def test_a_subset_that_the_smaller_grid_lacks_is_an_error(toy: ModuleType, tmp_path: Path):
    content = archive_bytes({"images.npy": array_bytes(IMAGES[:N_OLDER])})
    options, folder = put(toy, tmp_path, content, subset={"object_color": [0, 2]})
    message = (
        r"datasets\.mpi3d_toy\.subset: factor 'object_color' has the indices 0 to 1, got \[2\] .*48 images"
    )
    with pytest.raises(UserError, match=message):
        toy.prepare(options, folder)


def test_scaled_down_images_are_averages_of_the_published_ones(toy: ModuleType, tmp_path: Path):
    content = archive_bytes({"images.npy": array_bytes(IMAGES)})
    prepared = toy.prepare(*put(toy, tmp_path, content, image_size=20))
    assert prepared.shape == (3, 20, 20)
    np.testing.assert_array_equal(whole(prepared), shrink(IMAGES.transpose(0, 3, 1, 2).copy(), 20))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_images_come_in_pieces_and_are_never_all_in_memory(
    compression: int, toy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(npy, "BLOCK", 4 * IMAGE_BYTES)
    options, folder = put(
        toy,
        tmp_path,
        archive_bytes({"images.npy": array_bytes(IMAGES)}, compression),
        subset={"object_size": [1]},
    )
    tracemalloc.start()
    try:
        sizes = [len(block) for block in toy.prepare(options, folder).blocks]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(sizes) == N // 2
    assert min(sizes) > 0
    assert max(sizes) <= 4
    assert peak < IMAGES.nbytes / 2


# --- what is not the published file -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (array_bytes(IMAGES[:100]), r"144 \(3×2×2×3×1×2×2\) or 48 \(2×1×2×3×1×2×2\) images, found 100"),
        (array_bytes(IMAGES[:, :32]), r"uint8 \[N, 64, 64, 3\], found uint8 \[144, 32, 64, 3\]"),
        (array_bytes(IMAGES.view(np.int8)), "found int8"),
        (array_bytes(IMAGES[0]), r"found uint8 \[64, 64, 3\]"),
        (array_bytes(np.uint8(1), ()), r"found uint8 \[\]"),
        (array_bytes(IMAGES, fortran=True), "Fortran order"),
        (array_bytes(IMAGES)[:-1], r"images.npy has 1,769,599 bytes, and 144 images have 1,769,600"),
        (array_bytes(IMAGES) + b"more", "and 144 images have"),
        (array_bytes(IMAGES).replace(b", }", b",  ", 1), "multi-line statement|header"),
        (b"not an array", "magic string"),
        (b"", "magic string"),
    ],
)
def test_another_layout_is_refused(member: bytes, message: str, toy: ModuleType, tmp_path: Path):
    options, folder = put(toy, tmp_path, archive_bytes({"images.npy": member}))
    with pytest.raises(UserError, match=f"mpi3d_toy.npz is not MPI3D in its published layout: .*{message}"):
        toy.prepare(options, folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not an archive", "not a zip file.*fetch@mpi3d_toy"),
        (archive_bytes({"images.npy": array_bytes(IMAGES)})[:-1000], "not a zip file"),
        (misplaced(archive_bytes({"images.npy": array_bytes(IMAGES)})), "published layout"),
        (
            archive_bytes({"imgs.npy": b"", "labels.npy": b""}),
            "no member images.npy; it has: imgs.npy, labels.npy",
        ),
        (archive_bytes({}), "no member images.npy; it has: none"),
    ],
)
def test_a_foreign_or_truncated_file_is_refused(
    content: bytes, message: str, toy: ModuleType, tmp_path: Path
):
    options, folder = put(toy, tmp_path, content)
    with pytest.raises(UserError, match=message):
        toy.prepare(options, folder)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damage_is_an_error_when_it_is_read(
    compression: int, toy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(npy, "BLOCK", 4 * IMAGE_BYTES)
    content = bytearray(archive_bytes({"images.npy": array_bytes(IMAGES)}, compression))
    damaged = len(content) - 50_000
    content[damaged : damaged + 100] = bytes(100)
    blocks = iter(toy.prepare(*put(toy, tmp_path, bytes(content))).blocks)
    np.testing.assert_array_equal(next(blocks), IMAGES[:4].transpose(0, 3, 1, 2))
    with pytest.raises(UserError, match=r"published layout: .*fetch@mpi3d_toy"):
        list(blocks)


def test_a_raw_file_of_another_checksum_is_an_error(dataset: ModuleType, tmp_path: Path):
    content = archive_bytes({"images.npy": array_bytes(IMAGES)})
    _, folder = put(dataset, tmp_path, content)
    with pytest.raises(UserError, match=f"its checksum differs.*fetch@{folder.name}"):
        dataset.prepare(dataset.Options(), folder)


# --- options and cards --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"subset": {"colour": 1}}, "there is no factor 'colour'; factors: object_color, object_shape"),
        ({"subset": {"object_size": 3}}, "factor 'object_size' has 2 values: keep 1 to 2 of them, got 3"),
        ({"checksum": "55889cb7"}, "should match pattern"),
        ({"image_size": 7}, "scaled down only, from 64 pixels along a side to 8"),
        ({"mirror": "ftp://example.org"}, "ftp:// is not supported"),
    ],
)
def test_options_that_cannot_be_are_refused(dataset: ModuleType, given: dict[str, Any], message: str):
    with pytest.raises(ValidationError, match=message):
        dataset.Options.model_validate(given)


def test_the_cards_are_of_whole_data_sets_that_differ():
    modules = [importlib.import_module(f"pipeline.data.datasets.{name}") for name in NAMES]
    assert NAMES == ["mpi3d_real", "mpi3d_realistic", "mpi3d_toy"]
    for name, module in zip(NAMES, modules, strict=True):
        assert np.prod(tuple(module.ABOUT.factors.values())) == 1_036_800
        (file,) = module.ABOUT.files
        assert file.name == f"{name}.npz"
        assert module.Options().checksum == file.checksum
    pinned = {module.ABOUT.files[0].checksum for module in modules}
    assert len(pinned) == len({module.ABOUT.title for module in modules}) == 3
    assert all(re.fullmatch(CHECKSUM_PATTERN, checksum) for checksum in pinned)

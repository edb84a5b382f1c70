"""Cars3D: the archive in the published layout is read to its grid, whatever order its cars are in."""

from __future__ import annotations

import hashlib
import io
import struct
import tarfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.data.arrays.grid import factor_table
from pipeline.data.arrays.shrink import shrink
from pipeline.data.datasets import cars3d
from pipeline.errors import UserError
from tests.pipeline.whole import serving, whole

SMALL = {"elevation": 2, "azimuth": 3, "object_type": 3}
CARS = ["car_010_mesh", "car_002_mesh", "car_199_mesh"]
"""As they are in the archive."""
LISTED = ["car_199_mesh", "car_002_mesh", "car_010_mesh"]


# --- the format, byte by byte -------------------------------------------------------------------------------


def element(kind: int, content: bytes) -> bytes:
    """MATLAB 5's data element: type, size, content padded to 8 bytes; up to 4 bytes go with the size."""
    if len(content) <= 4:
        return struct.pack("<HH4s", kind, len(content), content)
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def matlab(*, compressed: bool = True, **arrays: np.ndarray) -> bytes:
    """A MATLAB 5 file of arrays uint8 (miMATRIX 14, miCOMPRESSED 15; mxUINT8_CLASS 9), column-major."""
    written = (
        b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(116) + bytes(8) + struct.pack("<H2s", 0x0100, b"IM")
    )
    for name, array in arrays.items():
        matrix = element(
            14,
            element(6, struct.pack("<II", 9 if array.dtype == np.uint8 else 6, 0))
            + element(5, struct.pack(f"<{array.ndim}i", *array.shape))
            + element(1, name.encode())
            + element(2 if array.dtype == np.uint8 else 9, array.tobytes(order="F")),
        )
        packed = zlib.compress(matrix, 1)
        written += struct.pack("<II", 15, len(packed)) + packed if compressed else matrix
    return written


def views(seed: int) -> np.ndarray:
    """uint8 [128, 128, 3, azimuths, elevations]"""
    coarse = np.random.default_rng(seed).integers(
        0, 256, (16, 128, 3, SMALL["azimuth"], SMALL["elevation"]), np.uint8
    )
    return np.repeat(coarse, 8, axis=0)


def members(*, listed: list[str] | None = LISTED) -> dict[str, bytes]:
    """The archive's content: cars and what else is there."""
    written = {"data/shapes48.mat": b"not looked at", "data/sprites/sprites_1.mat": b"nor this"}
    if listed is not None:
        written["data/cars/list.txt"] = "".join(f"{name}\n" for name in listed).encode()
    for k, car in enumerate(CARS):
        mask = np.ones((128, 128, SMALL["azimuth"], SMALL["elevation"]), np.uint8)
        written[f"data/cars/{car}.mat"] = matlab(im=views(k), mask=mask, compressed=k > 0)
    return written


def archive(path: Path, content: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz", compresslevel=1) as file:
        for name, data in content.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            file.addfile(header, io.BytesIO(data))


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """``published(members)``: a folder with such an archive as the official one."""
    monkeypatch.setattr(cars3d, "SIZES", SMALL)

    def publish(content: dict[str, bytes] | bytes) -> Path:
        folder = tmp_path / "mirror"
        folder.mkdir(exist_ok=True)
        path = folder / cars3d.FILES[0].name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            archive(path, content)
        digest = f"md5:{hashlib.md5(path.read_bytes()).hexdigest()}"
        monkeypatch.setattr(cars3d, "FILES", (replace(cars3d.FILES[0], checksum=digest),))
        return folder

    return publish


def prepared(mirror: Path, **more: object):
    options = cars3d.Options.model_validate({"mirror": str(mirror), **more})
    cars3d.fetch(options, mirror.parent / "raw")
    return cars3d.prepare(options, mirror.parent / "raw")


# --- reading ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("listed", [LISTED, None])
def test_the_published_layout_is_read_to_the_grid(published, listed: list[str] | None):
    """Every image is where its factors say; cars are numbered as list.txt has them, else by name."""
    mirror = published(members(listed=listed))
    folder = mirror.parent / "raw"
    with serving(mirror) as address:
        options = cars3d.Options(mirror=address, image_size=None)
        cars3d.fetch(options, folder)
    result = cars3d.prepare(options, folder)
    images = whole(result)
    assert (result.shape, images.shape, images.dtype) == ((3, 128, 128), (18, 3, 128, 128), np.uint8)
    assert (result.factor_names, result.factor_sizes) == (("elevation", "azimuth", "object_type"), (2, 3, 3))
    assert result.grid
    assert result.factors is not None
    np.testing.assert_array_equal(result.factors, factor_table((2, 3, 3)))
    numbered = listed or sorted(CARS)
    assert result.details["object_types"] == numbered
    for image, (elevation, azimuth, car) in zip(images, result.factors, strict=True):
        original = views(CARS.index(numbered[car]))[:, :, :, azimuth, elevation]
        np.testing.assert_array_equal(image, original.transpose(2, 0, 1))


def test_images_are_64_pixels_large_by_default(published):
    mirror = published(members())
    full = whole(prepared(mirror, image_size=128))
    np.testing.assert_array_equal(whole(prepared(mirror)), shrink(full, 64))
    np.testing.assert_array_equal(whole(prepared(mirror, image_size=20)), shrink(full, 20))


def test_a_car_comes_at_a_time(published):
    """Nothing larger than one car's file is read before the first images come."""
    blocks = iter(prepared(published(members())).blocks)
    assert next(blocks).shape == (6, 3, 64, 64)
    assert [len(block) for block in blocks] == [6, 6]


def test_the_official_archive_is_fetched_once(published):
    mirror = published(members())
    prepared(mirror)
    path = mirror.parent / "raw" / cars3d.FILES[0].name
    before = path.stat().st_mtime_ns
    prepared(mirror)
    assert path.stat().st_mtime_ns == before


# --- what is refused ----------------------------------------------------------------------------------------


def changed(name: str, content: bytes | None) -> dict[str, bytes]:
    every = members() | ({} if content is None else {name: content})
    return {key: value for key, value in every.items() if content is not None or key != name}


IM = np.zeros((128, 128, 3, 3, 2), np.uint8)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is damaged, or no MATLAB 5 file"),
        (b"PK\x03\x04" + bytes(500), "is damaged, or no MATLAB 5 file"),
        (matlab(im=IM)[:300], "is damaged, or no MATLAB 5 file"),
        (matlab(im=IM, compressed=False)[:5000], "is damaged, or no MATLAB 5 file"),
        (matlab(images=IM), r"im should be uint8 \[128, 128, 3, 3, 2\], found nothing of that name"),
        (matlab(im=IM[:, :, :, :2]), r"found uint8 \[128, 128, 3, 2, 2\]"),
        (matlab(im=IM[:64]), r"found uint8 \[64, 128, 3, 3, 2\]"),
        (matlab(im=IM.astype(np.float64)), "found float64"),
    ],
)
def test_a_car_of_another_layout_is_named(published, content: bytes, message: str):
    mirror = published(changed(f"data/cars/{CARS[1]}.mat", content))
    with pytest.raises(
        UserError, match=f"nips2015.*member 'data/cars/car_002_mesh.mat'.*{message}.*fetch@cars3d"
    ):
        whole(prepared(mirror))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(f"data/cars/{CARS[1]}.mat", None), r"should have 3 cars .*found 2"),
        (changed("data/cars/car_003_mesh.mat", b""), r"should have 3 cars .*found 4"),
        ({"data/shapes48.mat": b""}, r"should have 3 cars .*found 0"),
        (members(listed=LISTED[:2]), "has 2 names, there are 3 files; not in both, or twice: car_010_mesh"),
        (members(listed=[*LISTED, LISTED[0]]), "has 4 names, there are 3 files; .*twice: car_199_mesh"),
        (members(listed=[*LISTED[:2], "car_011_mesh"]), "car_010_mesh, car_011_mesh"),
    ],
)
def test_other_cars_than_there_should_be_are_refused(published, content: dict[str, bytes], message: str):
    with pytest.raises(UserError, match=message):
        prepared(published(content))


def test_foreign_files_and_cut_archives_are_refused(published, tmp_path: Path):
    archive(tmp_path / "whole.tar.gz", members())
    cut = (tmp_path / "whole.tar.gz").read_bytes()
    for content, message in ((b"<html>" * 200, "not a gzip file"), (cut[:-3000], "end-of-stream marker")):
        with pytest.raises(UserError, match=message):
            whole(prepared(published(content)))


def test_a_raw_file_that_is_another_is_an_error_and_fetching_repairs_it(published):
    mirror = published(members())
    prepared(mirror)
    raw = mirror.parent / "raw" / cars3d.FILES[0].name
    raw.write_bytes(raw.read_bytes()[:-1])
    with pytest.raises(UserError, match="fetch@raw"):
        cars3d.prepare(cars3d.Options(), raw.parent)
    assert len(whole(prepared(mirror))) == 18


@pytest.mark.parametrize("size", [7, 129])
def test_sizes_that_cannot_be_are_refused(size: int):
    with pytest.raises(ValidationError, match="scaled down only, from 128 pixels along a side to 8"):
        cars3d.Options(image_size=size)


def test_the_card_describes_the_true_data_set():
    assert dict(cars3d.ABOUT.factors) == {"elevation": 4, "azimuth": 24, "object_type": 183}
    assert np.prod(list(cars3d.ABOUT.factors.values())) == 17_568
    assert [file.checksum for file in cars3d.ABOUT.files] == ["md5:4e866a7919c1beedf53964e6f7a23686"]

"""Small NORB: six files in the published layout are read to the grid that they make together."""

from __future__ import annotations

import gzip
import hashlib
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline import preprocess
from pipeline.data.arrays.dataset import Prepared
from pipeline.data.arrays.grid import factor_table
from pipeline.data.arrays.shrink import shrink
from pipeline.data.datasets import smallnorb
from pipeline.errors import UserError
from pipeline.store import npy
from tests.pipeline.whole import serving, whole

SMALL = {"category": 5, "instance": 2, "elevation": 2, "azimuth": 3, "lighting": 2}
TRAINING, TESTING = "5x46789x9x18x6x2x96x96-training", "5x01235x9x18x6x2x96x96-testing"
INSTANCES = {TRAINING: [1], TESTING: [0]}
N = 60
"""Images of a part."""

Publish = Callable[..., Path]


# --- the format, byte by byte -------------------------------------------------------------------------------


def header(magic: int, *sizes: int) -> bytes:
    """At least three sizes are there; those that are not used are 1."""
    filled = [*sizes, 1, 1, 1][: max(3, len(sizes))]
    return struct.pack(f"<Ii{len(filled)}i", magic, len(sizes), *filled)


def integers(table: np.ndarray) -> bytes:
    return header(0x1E3D4C54, *table.shape) + table.astype("<i4").tobytes()


def pairs(part: str) -> np.ndarray:
    """uint8 [60, 2, 96, 96], each image another."""
    coarse = np.random.default_rng(len(part)).integers(0, 256, (N, 2, 12, 96), dtype=np.uint8)
    return np.repeat(coarse, 8, axis=2)


def codes(part: str) -> np.ndarray:
    """int [60, 5] in the files' layout, unordered: category, instance, elevation, azimuth 0 2 4, lighting."""
    values = [range(5), INSTANCES[part], range(2), (0, 2, 4), range(2)]
    table = np.stack(np.meshgrid(*values, indexing="ij"), axis=-1).reshape(-1, 5)
    return np.random.default_rng(len(part) + 1).permutation(table)


def official(**replaced: bytes) -> dict[str, bytes]:
    """The six files, not yet gzipped; ``replaced`` by kind, of the testing part."""
    files = {}
    for part in (TRAINING, TESTING):
        contents = {
            "dat": header(0x1E3D4C55, N, 2, 96, 96) + pairs(part).tobytes(),
            "cat": integers(codes(part)[:, 0]),
            "info": integers(codes(part)[:, 1:]),
        } | (replaced if part == TESTING else {})
        files |= {f"smallnorb-{part}-{kind}.mat.gz": content for kind, content in contents.items()}
    return files


@pytest.fixture
def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publish:
    """``publish(files)``: these are the official ones from now on; a folder that has them."""
    monkeypatch.setattr(smallnorb, "SIZES", SMALL)

    def published(files: dict[str, bytes], *, cut: int = 0, gzipped: bool = True) -> Path:
        folder = tmp_path / "mirror"
        folder.mkdir(exist_ok=True)
        new = []
        for file in smallnorb.FILES:
            content = gzip.compress(files[file.name], 1) if gzipped else files[file.name]
            content = content[: len(content) - cut]
            (folder / file.name).write_bytes(content)
            digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
            new.append(replace(file, checksum=digest, size=len(content)))
        monkeypatch.setattr(smallnorb, "FILES", tuple(new))
        return folder

    return published


def prepared(mirror: Path, **more: object) -> Prepared:
    options = smallnorb.Options.model_validate({"mirror": str(mirror), **more})
    smallnorb.fetch(options, mirror.parent / "raw")
    return smallnorb.prepare(options, mirror.parent / "raw")


# --- reading ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("camera", "which"), [("left", 0), ("right", 1)])
def test_the_published_layout_is_read_to_the_grid(publish: Publish, camera: str, which: int):
    """Every image of either part is where its codes say."""
    mirror = publish(official())
    with serving(mirror) as address:
        options = smallnorb.Options.model_validate(
            {"mirror": address, "camera": camera, "image_size": None, "instance": True}
        )
        smallnorb.fetch(options, mirror.parent / "raw")
    result = smallnorb.prepare(options, mirror.parent / "raw")
    images = whole(result)
    assert (result.shape, images.shape, images.dtype) == ((1, 96, 96), (120, 1, 96, 96), np.uint8)
    assert (result.factor_names, result.factor_sizes) == (tuple(SMALL), (5, 2, 2, 3, 2))
    assert result.grid
    assert result.factors is not None
    np.testing.assert_array_equal(result.factors, factor_table((5, 2, 2, 3, 2)))
    expected = {
        tuple(code // (1, 1, 1, 2, 1)): pair[which]
        for part in (TRAINING, TESTING)
        for code, pair in zip(codes(part), pairs(part), strict=True)
    }
    assert len(expected) == 120
    for factors, image in zip(result.factors, images, strict=True):
        np.testing.assert_array_equal(image[0], expected[tuple(factors)])


def test_the_instance_is_a_factor_only_if_the_option_is_set(publish: Publish):
    mirror = publish(official())
    with_it, without = prepared(mirror, instance=True), prepared(mirror)
    np.testing.assert_array_equal(whole(with_it), whole(without))
    assert without.factor_names == ("category", "elevation", "azimuth", "lighting")
    assert without.factor_sizes == (5, 2, 3, 2)
    assert not without.grid
    assert with_it.factors is not None
    assert without.factors is not None
    assert without.factors.dtype == np.int16
    np.testing.assert_array_equal(without.factors, with_it.factors[:, [0, 2, 3, 4]])
    _, times = np.unique(without.factors, axis=0, return_counts=True)
    assert set(times) == {2}


def test_labels_are_the_categories(publish: Publish):
    result = prepared(publish(official()))
    assert result.label_names == ("animal", "human", "plane", "truck", "car")
    assert result.labels is not None
    assert result.factors is not None
    assert result.labels.dtype == np.int64
    np.testing.assert_array_equal(result.labels, result.factors[:, 0])
    np.testing.assert_array_equal(np.bincount(result.labels), [24] * 5)


def test_images_are_64_pixels_large_by_default(publish: Publish):
    mirror = publish(official())
    full = whole(prepared(mirror, image_size=96))
    np.testing.assert_array_equal(whole(prepared(mirror)), shrink(full, 64))
    np.testing.assert_array_equal(whole(prepared(mirror, image_size=32)), shrink(full, 32))


def test_the_official_test_part_is_the_testing_files_where_it_is_wanted(publish: Publish):
    mirror = publish(official())
    assert prepared(mirror).official_test is None
    result = prepared(mirror, split="official", instance=True)
    assert result.factors is not None
    assert result.official_test is not None
    np.testing.assert_array_equal(result.official_test, result.factors[:, 1] == 0)
    split = preprocess.split_of(result, smallnorb.Options(split="official"), "here")
    assert split is not None
    np.testing.assert_array_equal(split == 2, result.official_test)


def test_images_are_read_in_pieces(publish: Publish, monkeypatch: pytest.MonkeyPatch):
    """A block is as large as a piece, and the pieces of a damaged file come before its damage is met."""
    mirror = publish(official())
    all_at_once = whole(prepared(mirror))
    monkeypatch.setattr(npy, "BLOCK", 7 * 2 * 96 * 96)
    result = prepared(mirror)
    assert [len(block) for block in result.blocks] == 2 * [7, 7, 7, 7, 7, 7, 7, 7, 4]
    np.testing.assert_array_equal(whole(prepared(mirror)), all_at_once)
    cut = official(dat=header(0x1E3D4C55, N, 2, 96, 96) + pairs(TESTING)[:50].tobytes())
    blocks = iter(prepared(publish(cut)).blocks)
    assert len([next(blocks) for _ in range(9 + 7)]) == 16
    with pytest.raises(UserError, match=r"testing-dat.*ends within rows 49 to 55 of 60"):
        next(blocks)


# --- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"dat": b""}, "testing-dat.*ends within its header"),
        ({"dat": struct.pack("<I", 0x1E3D4C55)}, "testing-dat.*ends within its header"),
        ({"dat": struct.pack(">Ii3i", 0x1E3D4C55, 3, 1, 1, 1)}, "testing-dat.*starts with 0x554C3D1E"),
        ({"dat": header(0x1E3D4C51, N, 2, 96, 96)}, "testing-dat.*starts with 0x1E3D4C51"),
        ({"dat": struct.pack("<Ii", 0x1E3D4C55, 1 << 30)}, "testing-dat.*has 1073741824 dimensions"),
        ({"dat": struct.pack("<Ii", 0x1E3D4C55, -1)}, "testing-dat.*has -1 dimensions"),
        (
            {"dat": header(0x1E3D4C55, N, 2, 108, 108)},
            r"testing-dat.*should be uint8 \[60, 2, 96, 96\], found uint8 \[60, 2, 108, 108\]",
        ),
        ({"dat": header(0x1E3D4C54, N, 2, 96, 96)}, "testing-dat.*found int32"),
        (
            {"dat": header(0x1E3D4C55, N, 2, 96, 96) + bytes(N * 2 * 96 * 96 + 1)},
            "testing-dat.*goes on after",
        ),
        ({"cat": integers(codes(TESTING)[:, :2])}, r"testing-cat.*int32 \[60\], found int32 \[60, 2\]"),
        ({"cat": integers(codes(TESTING)[:, 0])[:-4]}, "testing-cat.*ends within rows 0 to 59"),
        ({"info": integers(codes(TESTING)[:, 1:4])}, r"testing-info.*int32 \[60, 4\], found int32 \[60, 3\]"),
        ({"cat": integers(codes(TRAINING)[:, 0])}, "every combination of factors should appear once"),
        (
            {"cat": integers(codes(TESTING)[:, 0] + 1)},
            r"testing-cat.*should be 0 to 4, 1, 1, 4, 1.*found 5, 0, ",
        ),
        ({"cat": integers(codes(TESTING)[:, 0] - 1)}, "testing-cat.*found -1, 0, "),
        ({"info": integers(codes(TESTING)[:, 1:] + [0, 0, 1, 0])}, r"testing-info.*row 0: .*azimuths even"),
        (
            {"info": integers(codes(TESTING)[:, 1:] + [1, 0, 0, 0])},
            r"should appear once; 120 do not.*0 times",
        ),
    ],
)
def test_files_of_another_layout_are_named(publish: Publish, replaced: dict[str, bytes], message: str):
    with pytest.raises(UserError, match=f"{message}.*fetch@smallnorb"):
        whole(prepared(publish(official(**replaced))))


def test_cut_and_foreign_files_are_refused(publish: Publish):
    for options, message in (
        ({"cut": 20}, "end-of-stream marker"),
        ({"cut": 4}, "end-of-stream marker"),
        ({"gzipped": False}, "Not a gzipped file"),
    ):
        with pytest.raises(
            UserError, match=f"training-cat.*not this file of small NORB, or damaged: .*{message}"
        ):
            whole(prepared(publish(official(), **options)))


def test_a_raw_file_that_is_missing_or_another_is_an_error_and_fetching_repairs_it(publish: Publish):
    mirror = publish(official())
    prepared(mirror)
    for name in (smallnorb.FILES[0].name, smallnorb.FILES[5].name):
        raw = mirror.parent / "raw" / name
        for damage in (raw.unlink, lambda raw=raw: raw.write_bytes(b"other")):
            damage()
            with pytest.raises(UserError, match=f"{name} is missing, or its checksum differs"):
                smallnorb.prepare(smallnorb.Options(), raw.parent)
            assert len(whole(prepared(mirror))) == 120


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 97}, "scaled down only, from 96 pixels along a side to 8"),
        ({"image_size": 7}, "scaled down only"),
        ({"camera": "both"}, "'left' or 'right'"),
        ({"instance": 1}, "valid boolean"),
        ({"split": "half"}, "'official' or 'drawn'"),
        ({"split": "official", "test_fraction": 0.1}, "test_fraction must be 0"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict, message: str):
    with pytest.raises(ValidationError, match=message):
        smallnorb.Options.model_validate(options)


def test_the_card_describes_the_true_data_set():
    assert dict(smallnorb.ABOUT.factors) == {"category": 5, "elevation": 9, "azimuth": 18, "lighting": 6}
    assert 10 * np.prod(list(smallnorb.ABOUT.factors.values())) == 48_600
    for file in smallnorb.ABOUT.files:
        assert file.urls == (f"https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/{file.name}",)
        assert file.checksum is not None
        assert file.checksum.startswith("sha256:")
    assert [file.size for file in smallnorb.ABOUT.files] == [131896188, 348, 71052, 130799817, 347, 10428]

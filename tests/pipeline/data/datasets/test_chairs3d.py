"""3D Chairs: an archive in the published layout becomes a grid; a missing view is an error; crops are
central."""

from __future__ import annotations

import hashlib
import io
import struct
import tarfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.data.arrays.dataset import Prepared
from pipeline.data.arrays.grid import factor_table
from pipeline.data.arrays.shrink import shrink
from pipeline.data.datasets import chairs3d
from pipeline.errors import UserError
from tests.pipeline.whole import serving, whole

MODELS = [
    "1a2b8749a1756a09932a5c2746cd09a4",
    "b663f1e4df6c51fe19fb4103277a6b93",
    "f0000000000000000000000000000000",
]
TURNS = (0, 11, 23)
SIDE = 40
ARCHIVE = "rendered_chairs.tar"
SECOND = f"rendered_chairs/{MODELS[1]}/renders/image_001_p020_t011_r096.png"


# --- the format, byte by byte -------------------------------------------------------------------------------


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(pixels: np.ndarray, bits: int = 8) -> bytes:
    """A PNG file of uint8 [H, W, C]: colour type 2 is RGB, 6 has an alpha channel, 0 is grey."""
    height, width, channels = pixels.shape
    kind = {1: 0, 3: 2, 4: 6}[channels]
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)
    if bits == 16:
        lines = b"".join(b"\0" + np.repeat(line, 2).tobytes() for line in pixels)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(lines, 1))
        + chunk(b"IEND", b"")
    )


def render(model: int, elevation: int, turn: int, side: int = SIDE) -> np.ndarray:
    """uint8 [side, side, 3], another for each view, a margin of white around it."""
    seed = (model * 2 + elevation) * 31 + turn
    pixels = np.full((side, side, 3), 255, np.uint8)
    inner = side - 8
    pixels[4:-4, 4:-4] = np.random.default_rng(seed).integers(0, 256, (inner, inner, 3), dtype=np.uint8)
    return pixels


def views(side: int = SIDE) -> dict[str, bytes]:
    """The archive's content, unordered. Files of the second elevation are counted from 32, as published."""
    content = {"rendered_chairs/all_chair_names.mat": b"not looked at"}
    for model in (2, 0, 1):
        for elevation in (1, 0):
            for turn in (1, 2, 0):
                name = (
                    f"image_{32 * elevation + turn:03}_p{(20, 30)[elevation]:03}_t{TURNS[turn]:03}_r096.png"
                )
                content[f"rendered_chairs/{MODELS[model]}/renders/{name}"] = png(
                    render(model, elevation, turn, side)
                )
    return content


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the archive, of a data set of three models and three rotations."""
    monkeypatch.setattr(chairs3d, "MODELS", 3)
    monkeypatch.setattr(chairs3d, "ROTATIONS", TURNS)
    (tmp_path / "mirror").mkdir()
    return tmp_path / "mirror"


def archive(mirror: Path, content: dict[str, bytes]) -> str:
    """Write it; its checksum."""
    with tarfile.open(mirror / ARCHIVE, "w", format=tarfile.USTAR_FORMAT) as file:
        for name, data in content.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            file.addfile(header, io.BytesIO(data))
    return f"sha256:{hashlib.sha256((mirror / ARCHIVE).read_bytes()).hexdigest()}"


def prepared(mirror: Path, content: dict[str, bytes] | None = None, **more: object) -> Prepared:
    """Whole renders, 20 pixels large, unless asked otherwise."""
    if content is not None:
        more["checksum"] = archive(mirror, content)
    options = chairs3d.Options.model_validate({"image_size": 20, "crop": None, "mirror": str(mirror), **more})
    chairs3d.fetch(options, mirror.parent / "raw")
    return chairs3d.prepare(options, mirror.parent / "raw")


# --- reading ------------------------------------------------------------------------------------------------


def test_the_published_layout_is_read_to_the_grid(mirror: Path):
    """Every image is at the place of its factors, whatever the archive's order; models are numbered by
    name."""
    checksum = archive(mirror, views())
    folder = mirror.parent / "raw"
    with serving(mirror) as address:
        options = chairs3d.Options(mirror=address, checksum=checksum, image_size=None, crop=None)
        chairs3d.fetch(options, folder)
    result = chairs3d.prepare(options, folder)
    images = whole(result)
    assert (result.shape, images.shape, images.dtype) == ((3, SIDE, SIDE), (18, 3, SIDE, SIDE), np.uint8)
    assert (result.factor_names, result.factor_sizes) == (("model", "elevation", "rotation"), (3, 2, 3))
    assert result.grid
    assert result.factors is not None
    np.testing.assert_array_equal(result.factors, factor_table((3, 2, 3)))
    assert result.details["models"] == MODELS
    for image, factors in zip(images, result.factors.tolist(), strict=True):
        np.testing.assert_array_equal(image, render(*factors).transpose(2, 0, 1))


def test_images_are_the_centre_of_a_render_64_pixels_large_by_default(mirror: Path):
    full = whole(prepared(mirror, views(side=440), image_size=None))
    options = chairs3d.Options(mirror=str(mirror))
    chairs3d.fetch(options, mirror.parent / "raw")
    small = chairs3d.prepare(options, mirror.parent / "raw")
    assert (small.shape, small.details["crop"]) == ((3, 64, 64), 400)
    np.testing.assert_array_equal(whole(small), shrink(full[:, :, 20:420, 20:420].copy(), 64))


@pytest.mark.parametrize(("crop", "margin"), [(SIDE, 0), (30, 5), (29, 5), (20, 10)])
def test_a_crop_is_the_central_square(mirror: Path, crop: int, margin: int):
    """Of an odd rest the smaller part is cut off above and at the left."""
    full = whole(prepared(mirror, views(), image_size=None))
    square = full[:, :, margin : margin + crop, margin : margin + crop]
    np.testing.assert_array_equal(whole(prepared(mirror, crop=crop, image_size=None)), square)
    result = prepared(mirror, crop=crop)
    assert result.details["crop"] == crop
    np.testing.assert_array_equal(whole(result), shrink(np.ascontiguousarray(square), 20))


def test_transparency_is_white_and_grey_has_three_channels(mirror: Path):
    content = views()
    pixels = np.concatenate([render(1, 0, 1), np.full((SIDE, SIDE, 1), 255, np.uint8)], axis=2)
    pixels[:10, :, 3] = 0
    on_white = pixels[:, :, :3].copy()
    on_white[:10] = 255
    full = whole(prepared(mirror, content | {SECOND: png(pixels)}, image_size=None))
    np.testing.assert_array_equal(full[7], on_white.transpose(2, 0, 1))
    grey = pixels[:, :, :1]
    full = whole(prepared(mirror, content | {SECOND: png(grey)}, image_size=None))
    np.testing.assert_array_equal(full[7], np.repeat(grey, 3, axis=2).transpose(2, 0, 1))


def test_images_come_in_blocks_and_no_later_one_is_read_before(mirror: Path, monkeypatch: pytest.MonkeyPatch):
    every = whole(prepared(mirror, views()))
    monkeypatch.setattr(chairs3d, "BLOCK", 7)
    result = prepared(mirror)
    assert [len(block) for block in result.blocks] == [7, 7, 4]
    np.testing.assert_array_equal(whole(prepared(mirror)), every)
    blocks = iter(prepared(mirror, views() | {SECOND: b""}).blocks)
    assert len(next(blocks)) == 7
    with pytest.raises(UserError, match=SECOND):
        next(blocks)


def test_the_archive_that_came_first_is_the_one_that_is_expected(mirror: Path):
    """No checksum is published: another archive is not taken for it unless params.yaml names its checksum."""
    archive(mirror, views())
    first = whole(prepared(mirror))
    raw = mirror.parent / "raw" / ARCHIVE
    changed = views() | {SECOND: png(render(7, 7, 7))}
    checksum = archive(mirror, changed)
    np.testing.assert_array_equal(whole(prepared(mirror)), first)
    raw.write_bytes((mirror / ARCHIVE).read_bytes())
    with pytest.raises(UserError, match="its checksum differs"):
        chairs3d.prepare(chairs3d.Options(), raw.parent)
    assert (whole(prepared(mirror, checksum=checksum)) != first).any(axis=(1, 2, 3)).nonzero()[
        0
    ].tolist() == [7]


# --- what is refused ----------------------------------------------------------------------------------------


def without(*names: str) -> dict[str, bytes]:
    return {name: content for name, content in views().items() if not name.endswith(names)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            without(f"{MODELS[1]}/renders/image_001_p020_t011_r096.png"),
            f"{MODELS[1]}' lacks p020 t011: 1 of 6 views",
        ),
        (without("t000_r096.png"), f"{MODELS[0]}' lacks p020 t000, p030 t000: 2 of 6 views"),
        (
            without("p030_t000_r096.png", "p030_t011_r096.png", "p030_t023_r096.png", "p020_t000_r096.png"),
            r"p030 t011, \.\.\.: 4",
        ),
        (views() | {SECOND.replace("t011", "t012"): b""}, "has unknown views p020 t012: 1 of 6"),
        (
            views() | {SECOND.replace("image_001", "image_002"): b""},
            "image_002_p020_t011_r096.png' are the same view",
        ),
        ({name: data for name, data in views().items() if MODELS[1] not in name}, "of 3 models .*, found 2"),
        ({"rendered_chairs/all_chair_names.mat": b""}, "of 3 models .*, found 0"),
        ({f"renders/{name}": data for name, data in views().items()}, "of 3 models .*, found 0"),
    ],
)
def test_models_and_views_that_are_not_there_are_named(mirror: Path, content: dict[str, bytes], message: str):
    with pytest.raises(UserError, match=f"{ARCHIVE}.*{message}.*fetch@chairs3d"):
        prepared(mirror, content)


SOUND = png(render(1, 0, 1))
FLIPPED = SOUND[:300] + bytes([SOUND[300] ^ 1]) + SOUND[301:]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no valid PNG image: it does not begin like one"),
        (b"\xff\xd8\xff\xe0JFIF", "is no valid PNG image: it does not begin like one"),
        (SOUND[:20], "is no valid PNG image"),
        (SOUND[:500], "is no valid PNG image"),
        (SOUND[:-12], "is no valid PNG image"),
        (FLIPPED, "is no valid PNG image: broken PNG file"),
        (png(render(1, 0, 1)[:, :30]), f"it is 30×{SIDE}, expected a square"),
        (png(render(1, 0, 1)[:30, :30]), f"has 30 pixels along a side, the first render {SIDE}"),
        (png(render(1, 0, 1)[:, :, :1], bits=16), "more than 8 bits"),
        (
            SOUND[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)) + SOUND[33:],
            "is no valid PNG image: .*(expected a square of up to|exceeds limit)",
        ),
    ],
)
def test_images_that_are_damaged_or_others_are_named(mirror: Path, content: bytes, message: str):
    with pytest.raises(UserError, match=f"{ARCHIVE}: member '{SECOND}' .*{message}.*fetch@chairs3d"):
        whole(prepared(mirror, views() | {SECOND: content}))


def test_foreign_files_and_cut_archives_are_refused(mirror: Path):
    archive(mirror, views())
    cut = (mirror / ARCHIVE).read_bytes()[:-20_000]
    for content, message in ((b"<html>" * 200, "neither a tar nor a tar.gz"), (cut, "cut short")):
        (mirror / ARCHIVE).write_bytes(content)
        with pytest.raises(UserError, match=message):
            prepared(mirror, checksum=f"sha256:{hashlib.sha256(content).hexdigest()}")


@pytest.mark.parametrize("key", ["crop", "image_size"])
def test_more_than_a_render_has_is_refused(mirror: Path, key: str):
    with pytest.raises(
        UserError, match=rf"datasets\.chairs3d\.{key}: .*have {SIDE} pixels along a side, got 41"
    ):
        prepared(mirror, views(), **{key: 41})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 7}, "scaled down only"),
        ({"crop": 7}, "greater than or equal to 8"),
        ({"crop": 63}, r"at least image_size \(64\), got 63"),
        ({"crop": 100, "image_size": 128}, r"at least image_size \(128\), got 100"),
        ({"checksum": "sha1:0"}, "should match pattern"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict, message: str):
    with pytest.raises(ValidationError, match=message):
        chairs3d.Options.model_validate(options)


def test_the_card_describes_the_true_data_set():
    assert dict(chairs3d.ABOUT.factors) == {"model": 1393, "elevation": 2, "rotation": 31}
    assert np.prod(list(chairs3d.ABOUT.factors.values())) == 86_366
    angles = (
        "000 011 023 034 046 058 069 081 092 104 116 127 139 150 162 174 185 197 209 220 232 243 255 267 278 "
        "290 301 313 325 336 348"
    )
    assert " ".join(f"{angle:03}" for angle in chairs3d.ROTATIONS) == angles
    assert [file.checksum for file in chairs3d.ABOUT.files] == [None]

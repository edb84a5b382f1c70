"""folder: the user's images arrive pixel for pixel, or an error names the file and the cure."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from pydantic import ValidationError

from pipeline import preprocess
from pipeline.data.arrays import own_data
from pipeline.data.arrays.shrink import shrink
from pipeline.data.datasets import folder
from pipeline.data.datasets.folder import Options
from pipeline.data.files import image_file
from pipeline.errors import UserError
from pipeline.store import npy
from pipeline.store.layout import Store
from tests.pipeline.whole import whole
from vaecore import networks

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (6, 16, 16), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)


def stored(pixels: np.ndarray | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(pixels: np.ndarray, bits: int, colour_type: int) -> bytes:
    """A PNG written by its specification: big-endian samples, no filter."""
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(f">u{bits // 8}").tobytes() for row in pixels)
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0),
        b"IDAT": zlib.compress(rows),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in parts.items()
    )


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "mine").mkdir()
    return tmp_path / "mine"


def fill(mine: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (mine / name).parent.mkdir(parents=True, exist_ok=True)
        (mine / name).write_bytes(content)


def arrived(mine: Path, **options: Any) -> Any:
    given = Options(path=str(mine), **options)
    raw = mine.parent / "data" / "raw" / "folder"
    folder.fetch(given, raw)
    return folder.prepare(given, raw)


# --- what arrives -------------------------------------------------------------------------------------------


def test_images_arrive_in_the_order_of_their_names(mine: Path):
    for name, pixels in zip(("9", "10", "b", "a", "A", "Ä"), GREY, strict=True):
        fill(mine, {f"{name}.png": stored(pixels)})
    prepared = arrived(mine)
    np.testing.assert_array_equal(whole(prepared)[:, 0], GREY[[1, 0, 4, 3, 2, 5]])
    assert prepared.shape == (1, 16, 16)
    assert prepared.labels is None
    assert prepared.label_names == ()


def test_sub_folders_are_labels(mine: Path):
    names = ["square/a.png", "circle/b.png", "square/c.PNG", "circle/a.png", "star/x.png", "circle/c.png"]
    fill(mine, {name: stored(pixels) for name, pixels in zip(names, COLOUR, strict=True)})
    prepared = arrived(mine)
    assert prepared.label_names == ("circle", "square", "star")
    np.testing.assert_array_equal(prepared.labels, [0, 0, 0, 1, 1, 2])
    assert prepared.labels.dtype == np.int64
    np.testing.assert_array_equal(whole(prepared), COLOUR[[3, 1, 5, 0, 2, 4]].transpose(0, 3, 1, 2))


def test_every_lossless_format_arrives_as_it_is_and_the_others_nearly(mine: Path):
    smooth = np.add.outer(np.arange(16), 3 * np.arange(16)).astype(np.uint8)
    smooth = np.stack([smooth, smooth + 60, 200 - smooth], axis=-1)
    lossless = {
        "a.png": {},
        "b.bmp": {},
        "c.tif": {"kind": "TIFF"},
        "d.webp": {"lossless": True},
        "e.tiff": {},
    }
    kinds = {name: {"kind": Path(name).suffix[1:].upper(), **options} for name, options in lossless.items()}
    fill(mine, {name: stored(smooth, **options) for name, options in kinds.items()})
    lossy = {"f.jpg": "JPEG", "g.jpeg": "JPEG", "h.gif": "GIF", "i.jfif": "JPEG"}
    fill(mine, {name: stored(smooth, kind) for name, kind in lossy.items()})
    images = whole(arrived(mine)).transpose(0, 2, 3, 1).astype(int)
    assert (images[:5] == smooth).all()
    assert np.abs(images[5:] - smooth).mean(axis=(1, 2, 3)).max() < 12  # compressed, or of few colours


def test_grey_is_what_has_equal_channels_however_it_is_stored(mine: Path):
    bits = GREY[0] > 127
    files = {
        "a.png": stored(GREY[0]),
        "b.png": stored(np.stack([GREY[1]] * 3, axis=-1)),
        "c.png": stored(Image.fromarray(bits)),
        "d.png": stored(Image.merge("LA", [Image.fromarray(GREY[3]), Image.new("L", (16, 16), 255)])),
        "e.gif": stored(GREY[4], "GIF"),
    }
    fill(mine, files)
    prepared = arrived(mine)
    assert prepared.shape == (1, 16, 16)
    np.testing.assert_array_equal(
        whole(prepared)[:, 0], np.stack([GREY[0], GREY[1], 255 * bits, GREY[3], GREY[4]])
    )


def test_one_image_in_colour_makes_all_of_them_rgb_unless_grey_is_set(mine: Path):
    fill(mine, {"a.png": stored(GREY[0]), "b.png": stored(COLOUR[1])})
    images = whole(arrived(mine))
    np.testing.assert_array_equal(images[0], np.stack([GREY[0]] * 3))
    np.testing.assert_array_equal(images[1], COLOUR[1].transpose(2, 0, 1))
    images = whole(arrived(mine, colour="grey"))
    np.testing.assert_array_equal(
        images[:, 0], [GREY[0], np.asarray(Image.fromarray(COLOUR[1]).convert("L"))]
    )
    (mine / "b.png").unlink()
    assert arrived(mine, colour="rgb").shape == (3, 16, 16)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize(("orientation", "turns"), [(3, 2), (6, 3), (8, 1)])
def test_images_are_turned_upright_once(mine: Path, kind: str, orientation: int, turns: int):
    exif = Image.Exif()
    exif[0x0112] = orientation
    fill(mine, {f"a.{kind.lower()}": stored(COLOUR[0], kind, exif=exif)})
    np.testing.assert_array_equal(whole(arrived(mine))[0].transpose(1, 2, 0), np.rot90(COLOUR[0], turns))


def test_the_central_square_is_cut_out_and_scaled_down(mine: Path):
    wide, tall = RNG.integers(0, 256, (2, 30, 21, 3), dtype=np.uint8)
    wide = wide.transpose(1, 0, 2).copy()
    fill(mine, {"a.png": stored(wide), "b.png": stored(tall), "c.png": stored(COLOUR[0])})
    prepared = arrived(mine, crop=True, image_size=12)
    assert prepared.shape == (3, 12, 12)
    squares = [wide[:, 4:25], tall[4:25], COLOUR[0]]
    for image, square in zip(whole(prepared), squares, strict=True):
        np.testing.assert_array_equal(image, shrink(square.transpose(2, 0, 1)[None], 12)[0])


def test_hidden_files_are_passed_over_and_others_left_out_and_listed_once(
    mine: Path, capsys: pytest.CaptureFixture[str]
):
    fill(mine, {"a.png": stored(GREY[0]), "notes.txt": b"", "list.csv": b"", "sub/readme.md": b""})
    fill(mine, {".hidden.png": b"no image", "Thumbs.db": b"", ".git/x.png": b"", "__MACOSX/._a.png": b""})
    assert arrived(mine).count == 1
    assert (
        "left out, because their endings are not those of images: list.csv, notes.txt, sub/readme.md\n"
        in capsys.readouterr().out
    )
    fill(mine, {f"{number}.txt": b"" for number in range(9)})
    arrived(mine)
    assert "0.txt, 1.txt, 2.txt, ... (1 × .csv, 1 × .md, 10 × .txt)" in capsys.readouterr().out


def test_images_come_in_pieces(mine: Path, monkeypatch: pytest.MonkeyPatch):
    fill(mine, {f"{number}.png": stored(pixels) for number, pixels in enumerate(GREY)})
    monkeypatch.setattr(npy, "BLOCK", 2 * 16 * 16 + 100)
    prepared = arrived(mine)
    opened = []
    monkeypatch.setattr(folder, "content", lambda path: opened.append(path) or path.read_bytes())
    blocks = iter(prepared.blocks)
    assert not opened
    assert len(next(blocks)) == 2
    assert len(opened) == 2
    assert [len(block) for block in blocks] == [2, 2]


def test_the_card_has_the_users_title_licence_and_citation(mine: Path, monkeypatch: pytest.MonkeyPatch):
    fill(mine, {"x/a.png": stored(GREY[0]), "y/a.png": stored(GREY[1])})
    monkeypatch.chdir(mine.parent)
    options = Options(path="mine", title="Shapes", licence="CC0", citation="me, 2026")
    store = Store(Path.cwd())
    folder.fetch(options, store.raw("folder"))
    meta = preprocess.prepare("folder", options, store)
    card = {"title": "Shapes", "licence": "CC0", "citation": "me, 2026", "source": "mine"}
    assert {key: meta[key] for key in card} == card
    assert meta["label_names"] == ["x", "y"]
    assert meta["manifest"] == own_data.known_manifest(store.raw("folder"))["digest"]
    np.testing.assert_array_equal(store.read_ready("folder", verify=True).images[:, 0], GREY[:2])


# --- fetching -----------------------------------------------------------------------------------------------


def test_the_manifest_says_what_was_found_and_is_written_once(mine: Path):
    fill(mine, {"x/a.png": stored(GREY[0]), "y/b.png": stored(COLOUR[1])})
    arrived(mine)
    path = mine.parent / "data" / "raw" / "folder" / own_data.MANIFEST
    first, second = json.loads(path.read_text())["images"]
    assert (first["name"], first["label"], first["shape"]) == ("x/a.png", "x", [1, 16, 16])
    assert (second["name"], second["label"], second["shape"]) == ("y/b.png", "y", [3, 16, 16])
    assert first["bytes"] == (mine / "x/a.png").stat().st_size
    assert str(mine) not in path.read_text()
    before = path.stat().st_mtime_ns
    arrived(mine)
    assert path.stat().st_mtime_ns == before
    assert [file.name for file in path.parent.iterdir()] == [own_data.MANIFEST]


def test_fetching_again_decodes_only_what_is_new(mine: Path, monkeypatch: pytest.MonkeyPatch):
    fill(mine, {"a.png": stored(GREY[0]), "b.png": stored(GREY[1])})
    options, raw = Options(path=str(mine)), mine.parent / "raw"
    folder.fetch(options, raw)
    decoded = []
    monkeypatch.setattr(
        folder, "decode", lambda path, content: decoded.append(path.name) or image_file.decode(path, content)
    )
    fill(mine, {"c.png": stored(GREY[2])})
    folder.fetch(options, raw)
    assert decoded == ["c.png"]
    (raw / own_data.MANIFEST).write_text((raw / own_data.MANIFEST).read_text().replace("16", "17", 1))
    decoded.clear()
    folder.fetch(options, raw)
    assert decoded == ["a.png", "b.png", "c.png"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda mine: (mine / "a.png").write_bytes(stored(GREY[5])), r"a\.png has changed"),
        (lambda mine: (mine / "a.png").unlink(), r"a\.png: gone since"),
        (lambda mine: (mine / "0.png").write_bytes(stored(GREY[5])), r"0\.png: new since"),
    ],
)
def test_what_has_changed_since_is_an_error_until_fetch_runs_again(mine: Path, change: Any, message: str):
    fill(mine, {"a.png": stored(GREY[0]), "b.png": stored(GREY[1])})
    options, raw = Options(path=str(mine)), mine.parent / "folder"
    folder.fetch(options, raw)
    change(mine)
    with pytest.raises(UserError, match=rf"{message}.*dvc repro --force fetch@folder"):
        whole(folder.prepare(options, raw))
    folder.fetch(options, raw)
    whole(folder.prepare(options, raw))


@pytest.mark.parametrize("content", [None, "{", "[]", '{"images": []}'])
def test_a_damaged_manifest_is_an_error_and_fetching_repairs_it(mine: Path, content: str | None):
    fill(mine, {"a.png": stored(GREY[0])})
    options, raw = Options(path=str(mine)), mine.parent / "folder"
    folder.fetch(options, raw)
    path = raw / own_data.MANIFEST
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(UserError, match=r"manifest\.json is missing or damaged.*--force fetch@folder"):
        folder.prepare(options, raw)
    folder.fetch(options, raw)
    assert folder.prepare(options, raw).count == 1


# --- what cannot be -----------------------------------------------------------------------------------------

NO_IMAGE = r"is no image, or a damaged or truncated one"
TRANSPARENT = Image.fromarray(np.dstack([COLOUR[0], GREY[0]]))
FRAMES = {"save_all": True, "append_images": [Image.fromarray(COLOUR[1])]}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.png", b"", NO_IMAGE),
        ("a.png", b"no image at all", NO_IMAGE),
        ("a.png", stored(COLOUR[0])[:-100], NO_IMAGE),
        ("a.png", stored(COLOUR[0]).replace(b"IDAT", b"IDOT"), NO_IMAGE),
        ("a.jpg", stored(COLOUR[0], "JPEG")[:-60], NO_IMAGE),
        ("a.bmp", stored(COLOUR[0], "BMP")[:-60], NO_IMAGE),
        ("a.tif", stored(COLOUR[0], "TIFF")[:-60], NO_IMAGE),
        ("a.webp", stored(COLOUR[0], "WEBP")[:-20], NO_IMAGE),
        ("a.png", stored(COLOUR[0], "PPM"), NO_IMAGE),
        (
            "a.png",
            png(GREY[0].astype(int) * 256, 16, 0),
            "more than 8 bits per channel.*Convert it to 8 bits",
        ),
        ("a.png", png(COLOUR[0].astype(int) * 256, 16, 2), "more than 8 bits per channel"),
        ("a.tif", stored(GREY[0].astype(np.uint16), "TIFF"), "more than 8 bits per channel"),
        ("a.tif", stored(GREY[0].astype(np.float32), "TIFF"), "more than 8 bits per channel.*mode F"),
        ("a.jpg", stored(Image.fromarray(COLOUR[0]).convert("CMYK"), "JPEG"), "its colours are CMYK"),
        ("a.png", stored(TRANSPARENT), "transparent in places. Flatten it"),
        ("a.webp", stored(TRANSPARENT, "WEBP", lossless=True), "transparent in places"),
        ("a.png", stored(GREY[0], transparency=int(GREY[0, 3, 3])), "transparent in places"),
        ("a.gif", stored(GREY[0], "GIF", transparency=int(GREY[0, 3, 3])), "transparent in places"),
        ("a.gif", stored(COLOUR[0], "GIF", **FRAMES), "it has 2 frames"),
        ("a.png", stored(COLOUR[0], "PNG", **FRAMES), "it has 2 frames"),
        ("a.webp", stored(COLOUR[0], "WEBP", **FRAMES), "it has 2 frames"),
        ("a.tif", stored(COLOUR[0], "TIFF", **FRAMES), "it has 2 frames"),
        ("a.png", stored(GREY[0, :12]), r"16×12 pixels, and networks need squares.*`crop: true`"),
        ("a.png", stored(GREY[0, :7, :7]), "7×7 pixels, and networks need 8 to 128"),
        ("a.png", stored(np.zeros((129, 129), np.uint8)), "129×129.*`image_size: 64`"),
        ("a.heic", b"", "this image format is not supported. Convert it to PNG"),
    ],
)
def test_fetching_names_an_unusable_image_and_the_cure(mine: Path, name: str, content: bytes, message: str):
    fill(mine, {name: content})
    with pytest.raises(UserError, match=rf"(?s){name}\b.*{message}"):
        folder.fetch(Options(path=str(mine)), mine.parent / "raw")
    assert not (mine.parent / "raw").exists()


def test_an_opaque_alpha_channel_is_accepted_and_the_first_of_a_cameras_pictures_is_read(mine: Path):
    opaque = Image.fromarray(np.dstack([COLOUR[0], np.full((16, 16), 255, np.uint8)]))
    fill(mine, {"a.png": stored(opaque), "b.jpg": stored(COLOUR[0], "MPO", quality=95, **FRAMES)})
    images = whole(arrived(mine)).astype(int)
    np.testing.assert_array_equal(images[0], COLOUR[0].transpose(2, 0, 1))
    alone = Image.open(io.BytesIO(stored(COLOUR[0], "JPEG", quality=95)))
    np.testing.assert_array_equal(images[1], np.asarray(alone).transpose(2, 0, 1))


@pytest.mark.parametrize("side", [8_000, 12_000, 20_000])  # ours, Pillow's warning and Pillow's error
def test_a_decompression_bomb_is_not_unpacked(mine: Path, side: int):
    header = png(np.zeros((1, 1)), 8, 0)
    bomb = header.replace(
        header[16:33],
        (ihdr := struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
        + struct.pack(">I", zlib.crc32(b"IHDR" + ihdr)),
    )
    fill(mine, {"a.png": bomb})
    with pytest.raises(UserError, match=r"a\.png: it has more than 50,000,000 pixels"):
        folder.fetch(Options(path=str(mine)), mine.parent / "raw")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], r"has no image: no file that ends in \.png, \.jpg"),
        (["a.txt", "b.md"], r"has no image: .*It has 2 other files: a\.txt, b\.md"),
        (["a.png", "x/b.png"], r"images in itself \(a\.png\) and in sub-folders \(x/b\.png\)"),
        (["x/a.png", "y/b.png", "z/c.txt"], r"z has no image, .* would be a label"),
        (["x/a.png", "x/b.png"], r"in one sub-folder, x, .* Set path to \S+mine/x"),
        (["x/y/a.png", "z/b.png"], r"x/y/a\.png: sub-folders are labels, one level of them"),
    ],
)
def test_an_ambiguous_folder_is_an_error(mine: Path, names: list[str], message: str):
    fill(mine, {name: stored(GREY[0]) for name in names})
    with pytest.raises(UserError, match=message):
        folder.fetch(Options(path=str(mine)), mine.parent / "raw")


def test_a_path_that_is_not_there_or_a_file_is_an_error(mine: Path):
    with pytest.raises(UserError, match=r"datasets\.folder\.path: there is no \S+nowhere \(seen from"):
        folder.fetch(Options(path=str(mine / "nowhere")), mine.parent / "raw")
    fill(mine, {"a.npz": b""})
    with pytest.raises(UserError, match=r"a\.npz is a file.*data set `arrays`"):
        folder.fetch(Options(path=str(mine / "a.npz")), mine.parent / "raw")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"2 sizes: a\.png has 16×16 pixels, b\.png 24×20\. Set `crop: true` and an `image_size`"),
        ({"image_size": 8}, "Set `crop: true` and an `image_size`"),
        ({"crop": True}, r"2 sizes after cropping: .*b\.png 20×20\. Set an `image_size`"),
        ({"crop": True, "image_size": 17}, r"a\.png: 16×16 pixels, fewer than image_size: 17.*16 or less"),
    ],
)
def test_images_of_several_sizes_need_crop_and_image_size(mine: Path, options: dict[str, Any], message: str):
    fill(mine, {"a.png": stored(GREY[0]), "b.png": stored(RNG.integers(0, 256, (20, 24), dtype=np.uint8))})
    with pytest.raises(UserError, match=message):
        arrived(mine, **options)
    assert arrived(mine, crop=True, image_size=16).shape == (1, 16, 16)


def test_masks_of_0_and_1_are_black_images_and_an_error(mine: Path):
    fill(mine, {"a.png": stored(GREY[0] % 2), "b.png": stored(GREY[1] % 2)})
    with pytest.raises(UserError, match=r"brighter than 1 of 255.*save them as 0 and 255"):
        whole(arrived(mine))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "path"),
        ({"path": "x", "colour": "gray"}, "'auto', 'grey' or 'rgb'"),
        ({"path": "x", "image_size": 7}, "to 8 or more"),
        ({"path": "x", "image_size": 129}, "networks need images of 8 to 128 pixels"),
        ({"path": "x", "crop": "yes"}, "valid boolean"),
        ({"path": "x", "mirror": "y"}, "Extra inputs"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str):
    with pytest.raises(ValidationError, match=message):
        Options.model_validate(options)


def test_sides_are_what_the_networks_take():
    assert own_data.SIDES == networks.SIZES


def test_a_path_from_home_is_found(mine: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(mine.parent))
    fill(mine, {"a.png": stored(GREY[0])})
    options = Options.model_validate(yaml.safe_load("path: ~/mine"))
    folder.fetch(options, mine.parent / "raw")
    assert folder.prepare(options, mine.parent / "raw").count == 1

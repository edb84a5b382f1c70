"""dSprites: drawn images are the published ones; an official file is read as it is."""

from __future__ import annotations

import hashlib
import io
import json
import time
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.data.arrays.grid import factor_table, rows, select
from pipeline.data.arrays.shrink import shrink
from pipeline.data.datasets.dsprites import Options
from pipeline.data.shared import dsprites, sprites
from pipeline.errors import UserError
from tests.pipeline.whole import whole

FRAMES = Path(__file__).parents[3] / "fixtures" / "dsprites_frames.npz"
BITS_SET = np.array([byte.bit_count() for byte in range(256)], dtype=np.uint8)
SMALL = {"shape": 3, "scale": 2, "orientation": 4, "pos_x": 3, "pos_y": 2}


def unpacked(packed: np.ndarray) -> np.ndarray:
    return np.unpackbits(packed, axis=-1).reshape(*packed.shape[:-1], 64, 64)


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    dsprites.fetch(Options(), tmp_path / "dsprites")
    return tmp_path / "dsprites"


# --- geometry -----------------------------------------------------------------------------------------------


def test_genuine_frames_are_met_pixel_for_pixel():
    with np.load(FRAMES) as frames:
        images, factors = unpacked(frames["images_packed"]), frames["factors"]
    assert len(images) == 320
    names = list(sprites.OUTLINES)
    for image, (shape, scale, orientation, x, y) in zip(images, factors, strict=True):
        words = sprites.draw(names[shape], scale, orientation, np.array([x]), np.array([y]))
        found = unpacked(words.astype(">u8").view(np.uint8).reshape(512))
        assert (found != image).sum() == 0, (shape, scale, orientation, x, y)


def test_all_images_have_the_published_number_of_lit_pixels_and_are_drawn_in_seconds():
    """The published mean makes 128,328,862; the rules give 2 more. Drawing needs about 2 s of one core."""
    images, lit = 0, 0
    started = time.process_time()
    spent = 0.0
    for block in dsprites.draw(select({}, dsprites.SIZES)):
        spent += time.process_time() - started
        images += len(block)
        lit += int(BITS_SET[block].sum(dtype=np.int64))
        started = time.process_time()
    assert images == 737_280
    assert lit == 128_328_864
    assert spent < 15


def test_the_last_orientation_is_the_first():
    everywhere = np.arange(0, 32, 5)
    for shape in sprites.OUTLINES:
        np.testing.assert_array_equal(
            sprites.draw(shape, 3, 39, everywhere, everywhere),
            sprites.draw(shape, 3, 0, everywhere, everywhere),
        )


def test_no_vertex_is_so_near_a_rounding_tie_that_machines_could_differ():
    """Cosines differ by 1e-16 between machines, so coordinates by 1e-12 lattice steps; ties are 1e-7 away."""
    nearest = 1.0
    for outline in sprites.OUTLINES.values():
        for scale in range(6):
            for orientation in range(39):
                x, y = sprites.placed(outline, scale, orientation)
                for offset in (x, y):
                    exact = sprites.STEPS * (sprites.centre(np.arange(32))[:, None] + offset)
                    nearest = min(nearest, np.abs(exact - np.floor(exact) - 0.5).min())
    assert nearest > 1e-7


# --- preparing ----------------------------------------------------------------------------------------------


def test_a_subset_is_a_full_grid_of_the_images_it_names(drawn: Path):
    subset = {"shape": [0, 2], "scale": 3, "orientation": 5, "pos_x": [31, 0], "pos_y": 4}
    prepared = dsprites.prepare(Options(subset=subset), drawn)
    images = whole(prepared)
    kept = prepared.details["factor_indices"]
    assert prepared.factor_names == ("shape", "scale", "orientation", "pos_x", "pos_y")
    assert prepared.factor_sizes == (2, 3, 5, 2, 4)
    assert prepared.grid
    assert prepared.factors is not None
    np.testing.assert_array_equal(prepared.factors, factor_table(prepared.factor_sizes))
    assert (prepared.storage, images.shape, prepared.shape) == ("bits", (240, 512), (1, 64, 64))
    names = list(sprites.OUTLINES)
    for factors, row in zip(prepared.factors[::17], images[::17], strict=True):
        shape, scale, orientation, x, y = (
            indices[f] for indices, f in zip(kept.values(), factors, strict=True)
        )
        words = sprites.draw(names[shape], scale, orientation, np.array([x]), np.array([y]))
        np.testing.assert_array_equal(row, words.astype(">u8").view(np.uint8).reshape(512))


def test_scaled_down_images_are_averages_of_the_drawn_ones(drawn: Path):
    subset = {"orientation": 3, "pos_x": 3, "pos_y": 3}
    large = dsprites.prepare(Options(subset=subset), drawn)
    small = dsprites.prepare(Options(subset=subset, image_size=24), drawn)
    assert (small.storage, small.shape) == ("uint8", (1, 24, 24))
    np.testing.assert_array_equal(whole(small), shrink(255 * unpacked(whole(large))[:, None], 24))


def test_no_evenly_spaced_choice_of_orientations_holds_the_first_one_twice(drawn: Path):
    options = Options(subset={"orientation": 39, "scale": 1, "pos_x": [16], "pos_y": [16]})
    kept = dsprites.prepare(options, drawn).details["factor_indices"]
    assert kept["orientation"] == list(range(39))


@pytest.mark.parametrize("content", [None, "{", "{}", '{"size": 64}'])
def test_a_damaged_geometry_is_an_error_and_fetching_repairs_it(drawn: Path, content: str | None):
    path = drawn / dsprites.GEOMETRY
    path.unlink() if content is None else path.write_text(content)
    options = Options(subset={"orientation": 1, "pos_x": 1, "pos_y": 1})
    with pytest.raises(UserError, match="fetch@dsprites"):
        dsprites.prepare(options, drawn)
    dsprites.fetch(options, drawn)
    assert len(whole(dsprites.prepare(options, drawn))) == 18
    assert json.loads(path.read_text())["outlines"].keys() == {"square", "ellipse", "heart"}


# --- the official file --------------------------------------------------------------------------------------


def official_file(path: Path, sizes: dict[str, int], **replaced: np.ndarray) -> np.ndarray:
    """Write random images in the published layout, which the archive's README and metadata describe."""
    classes = factor_table((1, *sizes.values())).astype(np.int64)
    images = np.random.default_rng(0).integers(0, 2, (len(classes), 64, 64), dtype=np.uint8)
    fields = {
        "metadata": np.array({"title": "dSprites dataset", "latents_sizes": np.array([1, *sizes.values()])}),
        "imgs": images,
        "latents_classes": classes,
        "latents_values": classes / 2,
    }
    np.savez_compressed(path, allow_pickle=True, **{**fields, **replaced})  # type: ignore[arg-type]
    return images


def options_for(path: Path, **more: object) -> Options:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Options.model_validate(
        {"source": "official", "url": str(path), "checksum": f"sha256:{digest}", **more}
    )


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dsprites, "SIZES", SMALL)
    monkeypatch.setattr(dsprites, "PERIODS", {"orientation": 3})


@pytest.mark.usefixtures("small")
def test_the_published_layout_is_read(tmp_path: Path):
    images = official_file(tmp_path / "published.npz", SMALL)
    options = options_for(tmp_path / "published.npz")
    dsprites.fetch(options, tmp_path / "dsprites")
    prepared = dsprites.prepare(options, tmp_path / "dsprites")
    np.testing.assert_array_equal(unpacked(whole(prepared)), images)
    assert prepared.factor_sizes == (3, 2, 4, 3, 2)
    assert prepared.factors is not None
    np.testing.assert_array_equal(prepared.factors, factor_table(prepared.factor_sizes))


@pytest.mark.usefixtures("small")
def test_a_subset_of_the_published_file_is_its_rows(tmp_path: Path):
    images = official_file(tmp_path / "published.npz", SMALL)
    options = options_for(tmp_path / "published.npz", subset={"shape": [2], "orientation": 2, "pos_x": 2})
    dsprites.fetch(options, tmp_path / "dsprites")
    prepared = dsprites.prepare(options, tmp_path / "dsprites")
    kept = prepared.details["factor_indices"]
    assert kept["orientation"] == [0, 2]
    assert prepared.factors is not None
    original = np.stack(
        [np.array(kept[name])[prepared.factors[:, k]] for k, name in enumerate(SMALL)], axis=1
    )
    np.testing.assert_array_equal(unpacked(whole(prepared)), images[rows(original, tuple(SMALL.values()))])


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"imgs": np.full((144, 64, 64), 255, dtype=np.uint8)}, "should hold 0 and 1, found 255"),
        ({"imgs": np.zeros((144, 32, 32), dtype=np.uint8)}, r"should be uint8 \[144, 64, 64\]"),
        ({"imgs": np.zeros((143, 64, 64), dtype=np.uint8)}, r"found uint8 \[143, 64, 64\]"),
        ({"imgs": np.zeros((144, 64, 64), dtype=np.float32)}, "found float32"),
        ({"latents_classes": factor_table((1, 3, 2, 4, 3, 2))[::-1]}, "lexicographic order"),
        ({"latents_classes": factor_table((1, 3, 2, 4, 3, 1))}, "full grid"),
    ],
)
def test_another_layout_is_refused(tmp_path: Path, replaced: dict[str, np.ndarray], message: str):
    official_file(tmp_path / "published.npz", SMALL, **replaced)
    options = options_for(tmp_path / "published.npz")
    dsprites.fetch(options, tmp_path / "dsprites")
    with pytest.raises(UserError, match=f"not dSprites in its published layout.*{message}"):
        whole(dsprites.prepare(options, tmp_path / "dsprites"))


def test_a_file_of_another_size_or_kind_is_refused(tmp_path: Path):
    official_file(tmp_path / "small.npz", SMALL)
    (tmp_path / "text.npz").write_text("not an archive")
    buffer = io.BytesIO()
    np.savez(buffer, images=np.zeros(3))
    (tmp_path / "other.npz").write_bytes(buffer.getvalue())
    for name, message in (
        ("small", "full grid of"),
        ("text", "not a zip file"),
        ("other", "latents_classes"),
    ):
        options = options_for(tmp_path / f"{name}.npz")
        dsprites.fetch(options, tmp_path / name)
        with pytest.raises(UserError, match=message):
            whole(dsprites.prepare(options, tmp_path / name))


@pytest.mark.usefixtures("small")
def test_a_raw_file_that_was_cut_is_an_error_and_fetching_repairs_it(tmp_path: Path):
    official_file(tmp_path / "published.npz", SMALL)
    options = options_for(tmp_path / "published.npz")
    dsprites.fetch(options, tmp_path / "dsprites")
    raw = tmp_path / "dsprites" / dsprites.OFFICIAL
    raw.write_bytes(raw.read_bytes()[:-100])
    with pytest.raises(UserError, match="fetch@dsprites"):
        dsprites.prepare(options, tmp_path / "dsprites")
    dsprites.fetch(options, tmp_path / "dsprites")
    assert len(whole(dsprites.prepare(options, tmp_path / "dsprites"))) == 144


# --- options ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subset": {"colour": 1}}, "there is no factor 'colour'; factors: shape, scale"),
        ({"subset": {"scale": 7}}, "factor 'scale' has 6 values: keep 1 to 6 of them, got 7"),
        ({"subset": {"scale": [0, 0]}}, "listed more than once"),
        ({"subset": {"pos_x": [32]}}, "has the indices 0 to 31"),
        ({"subset": {"pos_x": 2.5}}, "valid integer"),
        ({"image_size": 7}, "scaled down only, from 64 pixels along a side to 8"),
        ({"image_size": 65}, "scaled down only"),
        ({"test_fraction": 1.0}, "less than 1"),
        ({"test_fraction": -0.1}, "greater than or equal to 0"),
        ({"split_seed": -1}, "greater than or equal to 0"),
        ({"source": "painted"}, "'drawn' or 'official'"),
        ({"sauce": "drawn"}, "Extra inputs"),
        ({"url": "x.npz"}, "set source to official"),
        ({"source": "official", "url": "ftp://example.org/x.npz"}, "ftp:// is not supported"),
        ({"source": "official", "checksum": "7da33b31"}, "should match pattern"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict, message: str):
    with pytest.raises(ValidationError, match=message):
        Options.model_validate(options)

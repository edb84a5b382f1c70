"""CelebA: a small archive and lists in the official layout become images, factors and parts."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image
from pydantic import ValidationError

from pipeline import preprocess
from pipeline.data.datasets import celeba
from pipeline.data.files.download import DOWNLOADS
from pipeline.errors import UserError
from pipeline.store.layout import Store
from pipeline.store.ready import TEST, TRAIN, VALIDATION
from tests.pipeline.whole import whole

COUNT = 7
PARTS = [0, 0, 0, 0, 1, 2, 2]
ARCHIVE, ATTRIBUTES, PARTITION = (file.name for file in celeba.FILES)
HEADER = (
    "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose Black_Hair "
    "Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair Heavy_Makeup "
    "High_Cheekbones Male Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face Pale_Skin Pointy_Nose "
    "Receding_Hairline Rosy_Cheeks Sideburns Smiling Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat "
    "Wearing_Lipstick Wearing_Necklace Wearing_Necktie Young "
)
# The first row of the official file.
FIRST = (
    "-1  1  1 -1 -1 -1 -1 -1 -1 -1 -1  1 -1 -1 -1 -1 -1 -1  1  1 "
    "-1  1 -1 -1  1 -1 -1  1 -1 -1 -1  1  1 -1  1 -1  1 -1 -1  1"
)


def encoded(pixels: np.ndarray, form: str = "JPEG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, quality=95)
    return file.getvalue()


def faces() -> dict[str, bytes]:
    """Coarse random colours, as large as the official images."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (COUNT, 11, 9, 3), dtype=np.uint8).repeat(20, axis=1).repeat(20, axis=2)
    return {f"img_align_celeba/{i:06d}.jpg": encoded(image[:218, :178]) for i, image in enumerate(coarse, 1)}


def archive(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        opened.writestr("img_align_celeba/", b"")
        for name, content in members.items():
            opened.writestr(name, content)
    return file.getvalue()


def attribute_list(end: str = "\n") -> str:
    rng = np.random.default_rng(1)
    rows = [FIRST, *(" ".join(f"{v:2d}" for v in 2 * rng.integers(0, 2, 40) - 1) for _ in range(COUNT - 1))]
    lines = [str(COUNT), HEADER, *(f"{i:06d}.jpg {row}" for i, row in enumerate(rows, 1))]
    return "".join(line + end for line in lines)


def partition_list(end: str = "\n") -> str:
    return "".join(f"{i:06d}.jpg {part}{end}" for i, part in enumerate(PARTS, 1))


class Official:
    """A folder with three small files in the official layout."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        monkeypatch.setattr(celeba, "COUNT", COUNT)
        self.faces = faces()
        folder.mkdir()
        self.put(ARCHIVE, archive(self.faces))
        self.put(ATTRIBUTES, attribute_list().encode())
        self.put(PARTITION, partition_list().encode())

    def put(self, name: str, content: bytes) -> None:
        """Make this the official file of that name."""
        (self.folder / name).write_bytes(content)
        checksum = f"sha256:{hashlib.sha256(content).hexdigest()}"
        files = tuple(
            replace(file, checksum=checksum, size=len(content)) if file.name == name else file
            for file in celeba.FILES
        )
        self.monkeypatch.setattr(celeba, "FILES", files)

    def prepared(self, raw: Path, **options: object):
        chosen = celeba.Options.model_validate({"folder": str(self.folder), **options})
        celeba.fetch(chosen, raw)
        return celeba.prepare(chosen, raw)


@pytest.fixture
def official(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Official:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("CelebA went to the network")

    monkeypatch.setattr(requests, "get", refuse)
    monkeypatch.delenv(DOWNLOADS, raising=False)
    return Official(tmp_path / "official", monkeypatch)


def decoded(official: Official) -> np.ndarray:
    """[N, 218, 178, 3]"""
    return np.stack([np.asarray(Image.open(io.BytesIO(content))) for content in official.faces.values()])


# --- images -------------------------------------------------------------------------------------------------


def test_the_middle_148_pixels_are_averaged_to_64(official: Official, tmp_path: Path):
    prepared = official.prepared(tmp_path / "raw")
    found = whole(prepared)
    assert (prepared.shape, prepared.storage, found.shape) == ((3, 64, 64), "uint8", (COUNT, 3, 64, 64))
    middle = decoded(official)[:, 35:183, 15:163]
    # 16 output pixels cover 37 of the middle: averages by repeating each pixel 16 times, which is exact too.
    fine = middle.transpose(0, 3, 1, 2).repeat(16, axis=2).repeat(16, axis=3)
    means = fine.reshape(COUNT, 3, 64, 37, 64, 37).mean(axis=(3, 5))
    np.testing.assert_array_equal(found, np.floor(means + 0.5))


def test_two_by_two_means_of_a_crop_of_128(official: Official, tmp_path: Path):
    found = whole(official.prepared(tmp_path / "raw", crop=128))
    middle = decoded(official)[:, 45:173, 25:153]
    means = middle.reshape(COUNT, 64, 2, 64, 2, 3).mean(axis=(2, 4)).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(found, np.floor(means + 0.5))


def test_the_largest_crop_in_its_own_size(official: Official, tmp_path: Path):
    prepared = official.prepared(tmp_path / "raw", crop=178, image_size=None)
    assert prepared.shape == (3, 178, 178)
    np.testing.assert_array_equal(whole(prepared), decoded(official)[:, 20:198].transpose(0, 3, 1, 2))


def test_channels_are_red_green_blue(official: Official, tmp_path: Path):
    for i, colour in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255)], 1):
        plain = np.broadcast_to(np.array(colour, dtype=np.uint8), (218, 178, 3))
        official.faces[f"img_align_celeba/{i:06d}.jpg"] = encoded(plain)
    official.put(ARCHIVE, archive(official.faces))
    found = whole(official.prepared(tmp_path / "raw", image_size=8))[:3].mean(axis=(2, 3))
    np.testing.assert_allclose(found, 255 * np.eye(3), atol=3)  # JPEG's rounding


def test_grey_photographs_have_three_channels(official: Official, tmp_path: Path):
    grey = np.linspace(0, 255, 218, dtype=np.uint8)[:, None].repeat(178, axis=1)
    official.faces["img_align_celeba/000001.jpg"] = encoded(grey)
    official.put(ARCHIVE, archive(official.faces))
    found = whole(official.prepared(tmp_path / "raw"))[0]
    assert found.shape == (3, 64, 64)
    assert (found == found[0]).all()


def test_images_come_in_pieces_and_by_their_names(
    official: Official, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """In the order of the list of attributes, whatever the order of the archive is."""
    monkeypatch.setattr(celeba, "BLOCK", 3)
    straight = list(official.prepared(tmp_path / "raw").blocks)
    assert [len(block) for block in straight] == [3, 3, 1]
    official.put(ARCHIVE, archive(dict(reversed(official.faces.items()))))
    np.testing.assert_array_equal(np.concatenate(straight), whole(official.prepared(tmp_path / "raw")))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda face: face[: len(face) // 2], "truncated"),
        (lambda face: b"", "is no JPEG"),
        (lambda face: b"<!DOCTYPE html>", "is no JPEG"),
        (lambda face: encoded(np.zeros((218, 178, 3), np.uint8), "PNG"), "is no JPEG"),
        (lambda face: encoded(np.zeros((178, 218, 3), np.uint8)), "it has 218×178 pixels, expected 178×218"),
    ],
)  # fmt: skip
def test_a_member_that_is_no_aligned_face_is_named(
    official: Official, tmp_path: Path, content: Callable[[bytes], bytes], message: str
):
    name = "img_align_celeba/000005.jpg"
    official.faces[name] = content(official.faces[name])
    official.put(ARCHIVE, archive(official.faces))
    with pytest.raises(UserError, match=f"{ARCHIVE}: member '{name}'.*{message}"):
        whole(official.prepared(tmp_path / "raw"))


def test_an_archive_without_a_face_or_in_another_folder_is_refused(official: Official, tmp_path: Path):
    for members, message in (
        (dict(list(official.faces.items())[:-1]), "no item named 'img_align_celeba/000007.jpg'"),
        (
            {name.partition("/")[2]: face for name, face in official.faces.items()},
            "no item named 'img_align_",
        ),
    ):
        official.put(ARCHIVE, archive(members))
        with pytest.raises(UserError, match=message):
            whole(official.prepared(tmp_path / "raw"))


def test_another_file_than_an_archive_is_refused(official: Official, tmp_path: Path):
    for content in (b"<!DOCTYPE html>", archive(official.faces)[:-100]):
        official.put(ARCHIVE, content)
        with pytest.raises(UserError, match=ARCHIVE):
            whole(official.prepared(tmp_path / "raw"))


# --- factors and parts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n", " \n"])
def test_attributes_are_factors(official: Official, tmp_path: Path, end: str):
    official.put(ATTRIBUTES, attribute_list(end).encode())
    official.put(PARTITION, partition_list(end).encode())
    prepared = official.prepared(tmp_path / "raw")
    assert prepared.factors is not None
    assert (prepared.factors.dtype, prepared.factors.shape) == (np.int16, (COUNT, 40))
    assert (prepared.factor_sizes, prepared.grid) == ((2,) * 40, False)
    assert list(prepared.factor_names) == HEADER.split() == list(celeba.ABOUT.factors)
    # The woman on the first image: who knows the data set knows these.
    has = [name for name, index in zip(prepared.factor_names, prepared.factors[0], strict=True) if index == 1]
    assert has == [
        "Arched_Eyebrows",
        "Attractive",
        "Brown_Hair",
        "Heavy_Makeup",
        "High_Cheekbones",
        "Mouth_Slightly_Open",
        "No_Beard",
        "Pointy_Nose",
        "Smiling",
        "Straight_Hair",
        "Wearing_Earrings",
        "Wearing_Lipstick",
        "Young",
    ]
    written = [line.split()[1:] for line in attribute_list().splitlines()[2:]]
    np.testing.assert_array_equal(prepared.factors, (np.array(written) == "1").astype(int))


def test_the_official_test_images_are_the_test_part(official: Official, tmp_path: Path):
    prepared = official.prepared(tmp_path / "raw")
    assert prepared.official_test is not None
    assert prepared.official_test.dtype == bool
    assert prepared.official_test.tolist() == [part == 2 for part in PARTS]
    backwards = "".join(reversed(partition_list().splitlines(keepends=True)))
    official.put(PARTITION, backwards.encode())
    again = official.prepared(tmp_path / "raw").official_test
    assert again is not None
    assert again.tolist() == prepared.official_test.tolist()


def test_the_official_parts_are_used(official: Official, tmp_path: Path):
    store = Store(tmp_path)
    official.prepared(store.raw("celeba"))
    meta = preprocess.prepare("celeba", celeba.Options(), store)
    assert meta["parts"] == {"train": 4, "validation": 1, "test": 2}
    assert (meta["crop"], meta["split"], meta["grid"]) == (148, "official", False)
    ready = store.read_ready("celeba", verify=True)
    assert ready.split is not None
    assert ready.split.tolist() == [TRAIN] * 4 + [VALIDATION] + [TEST] * 2
    with pytest.raises(
        ValidationError, match="19,867 official validation images, so validation_fraction must be 0"
    ):
        celeba.Options(validation_fraction=0.1)


def test_a_test_part_is_drawn_or_made_of_attributes(official: Official, tmp_path: Path):
    store = Store(tmp_path)
    prepared = official.prepared(store.raw("celeba"), split="drawn")
    assert prepared.official_test is None
    preprocess.prepare("celeba", celeba.Options(split="drawn", test_fraction=3 / 7), store)
    test = store.read_ready("celeba").test
    assert test is not None
    assert test.sum() == 3
    smiling = celeba.Options(split="drawn", hold_out={"Smiling": [1]})
    preprocess.prepare("celeba", smiling, store)
    test = store.read_ready("celeba").test
    assert prepared.factors is not None
    np.testing.assert_array_equal(test, prepared.factors[:, HEADER.split().index("Smiling")] == 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("7\n", "8\n", 1), "line 1: expected the number of images, 7, found '8'"),
        (lambda text: "", "line 1: .*found ''"),
        (
            lambda text: text.replace("Bald Bangs", "Bangs Bald"),
            "line 2: expected the names of the 40 attributes",
        ),
        (lambda text: text.replace(HEADER + "\n", ""), "line 2: .* found '000001.jpg -1 1 1"),
        (lambda text: text.replace(" 1 -1", " 1  0", 1), "line 3: expected a name and 40 times 1 or -1"),
        (lambda text: text.replace("000001.jpg -1", "000001.jpg"), "line 3: expected a name and 40 times"),
        (lambda text: text.replace("000002", "000001"), "6 images are listed, expected 7"),
        (lambda text: text.partition("000007")[0], "6 images are listed, expected 7"),
        (lambda text: text + f"000008.jpg {FIRST}\n", "line 10: more than 7 images"),
        (lambda text: "7,names\n1,2,3", "line 1:"),
        (lambda text: "PK\x03\x04\x00\udcff", "line 1:"),
    ],
)
def test_another_list_of_attributes_is_refused(
    official: Official, tmp_path: Path, change: Callable[[str], str], message: str
):
    official.put(ATTRIBUTES, change(attribute_list()).encode(errors="surrogateescape"))
    with pytest.raises(UserError, match=f"{ATTRIBUTES}.*{message}.*bring the official file again"):
        official.prepared(tmp_path / "raw")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda text: text.replace("jpg 2", "jpg 3", 1),
            "line 6: expected a name and 0, 1 or 2, found '000006.jpg 3'",
        ),
        (lambda text: text.replace("jpg 0", "jpg", 1), "line 1: expected a name and 0, 1 or 2"),
        (lambda text: "image_id partition\n" + text, "line 1: .*found 'image_id partition'"),
        (lambda text: text.replace("000003", "000008"), "7 images are listed, expected 7; 000003.jpg is not"),
        (lambda text: text.partition("000007")[0], "6 images are listed, expected 7; 000007.jpg is not"),
        (lambda text: text + "000008.jpg 0\n", "8 images are listed, expected 7"),
        (lambda text: "", "0 images are listed"),
    ],
)
def test_another_list_of_parts_is_refused(
    official: Official, tmp_path: Path, change: Callable[[str], str], message: str
):
    official.put(PARTITION, change(partition_list()).encode())
    with pytest.raises(UserError, match=f"{PARTITION}.*{message}.*bring the official file again"):
        official.prepared(tmp_path / "raw")


# --- bringing the files -------------------------------------------------------------------------------------


def states(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_files_are_copied_from_the_folder_once(official: Official, tmp_path: Path):
    raw = tmp_path / "raw"
    official.prepared(raw)
    before = states(raw)
    assert {name: content for name, (content, _) in before.items()} == {
        path.name: path.read_bytes() for path in official.folder.iterdir()
    }
    for path in official.folder.iterdir():
        path.unlink()
    assert len(whole(official.prepared(raw))) == COUNT
    assert states(raw) == before


def test_files_are_copied_from_the_downloads_of_all_data_sets(
    official: Official, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(DOWNLOADS, str(official.folder))
    celeba.fetch(celeba.Options(), tmp_path / "raw")
    assert len(whole(celeba.prepare(celeba.Options(), tmp_path / "raw"))) == COUNT


def test_the_zip_itself_may_be_named(official: Official, tmp_path: Path):
    archive = official.folder / "img_align_celeba.zip"
    assert len(whole(official.prepared(tmp_path / "raw", folder=str(archive)))) == COUNT
    other = official.folder / "list_attr_celeba.txt"
    with pytest.raises(UserError, match="is not a folder"):
        official.prepared(tmp_path / "other", folder=str(other))


def test_files_may_lie_in_their_place_already(official: Official):
    before = states(official.folder)
    celeba.fetch(celeba.Options(), official.folder)
    assert states(official.folder) == before
    assert len(whole(celeba.prepare(celeba.Options(), official.folder))) == COUNT


@pytest.mark.parametrize("downloads", [None, "http://127.0.0.1:9/files"])
def test_without_the_files_it_is_said_what_to_bring_from_where_to_where(
    official: Official, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, downloads: str | None
):
    if downloads:
        monkeypatch.setenv(DOWNLOADS, downloads)
    raw = tmp_path / "raw"
    with pytest.raises(UserError, match="has to be downloaded by hand") as raised:
        celeba.fetch(celeba.Options(), raw)
    message = str(raised.value)
    for name in (ARCHIVE, ATTRIBUTES, PARTITION):
        assert f"{name} (" in message
    for part in (celeba.HOME, "datasets.celeba.folder", DOWNLOADS, str(raw)):
        assert part in message
    assert not raw.exists()


def test_the_error_names_only_missing_files_and_nothing_is_copied_before_all_are_there(
    official: Official, tmp_path: Path
):
    (official.folder / PARTITION).unlink()
    (official.folder / ATTRIBUTES).write_text("unpacked, or of Kaggle")
    raw = tmp_path / "raw"
    with pytest.raises(UserError) as raised:
        official.prepared(raw)
    message = str(raised.value)
    assert f"{official.folder / ATTRIBUTES} is another file (22 bytes)" in message
    assert f"{PARTITION} (91 bytes): not there" in message
    assert ARCHIVE not in message
    assert not raw.exists()


def test_a_damaged_file_in_its_place_is_replaced(official: Official, tmp_path: Path):
    raw = tmp_path / "celeba"
    official.prepared(raw)
    (raw / ARCHIVE).write_bytes((raw / ARCHIVE).read_bytes()[:-5])
    with pytest.raises(UserError, match=f"{ARCHIVE} is missing, or its checksum differs.*fetch@celeba"):
        celeba.prepare(celeba.Options(), raw)
    with pytest.raises(UserError, match=f"{ARCHIVE} is another file"):
        celeba.fetch(celeba.Options(), raw)
    assert len(whole(official.prepared(raw))) == COUNT


def test_a_path_that_is_no_folder_is_an_error(
    official: Official, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    listed = "list_attr_celeba.txt"
    named = str(official.folder / listed)
    with pytest.raises(UserError, match=rf"{listed}, which datasets.celeba.folder .* is not a folder"):
        celeba.fetch(celeba.Options(folder=named), tmp_path / "raw")
    monkeypatch.setenv(DOWNLOADS, named)
    with pytest.raises(
        UserError, match=rf"which the environment variable {DOWNLOADS} names, is not a folder"
    ):
        celeba.fetch(celeba.Options(), tmp_path / "raw")


# --- options ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test_fraction": 0.1}, "split: official has .* so test_fraction must be 0.*set split to drawn"),
        ({"crop": 180}, "less than or equal to 178"),
        ({"crop": 6}, "greater than or equal to 8"),
        ({"crop": 147}, "multiple of 2"),
        ({"crop": 148.0}, "valid integer"),
        ({"crop": 32}, r"image_size \(64\) is larger than crop \(32\)"),
        ({"image_size": 160}, r"image_size \(160\) is larger than crop \(148\)"),
        ({"image_size": 7}, "to 8 or more"),
        ({"image_size": 218}, "scaled down only, from 178"),
        ({"folder": "https://example.org/celeba"}, "must be a folder on this machine"),
        ({"mirror": "https://example.org/celeba"}, "Extra inputs"),
        ({"split": "validation"}, "'official' or 'drawn'"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict, message: str):
    with pytest.raises(ValidationError, match=message):
        celeba.Options.model_validate(options)

"""MNIST, and Fashion-MNIST, which has its layout: read from small files that are written byte by byte."""

from __future__ import annotations

import gzip
import hashlib
import struct
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline import preprocess
from pipeline.data.arrays.shrink import shrink
from pipeline.data.datasets import fashion_mnist, mnist
from pipeline.data.files.download import DOWNLOADS, holds
from pipeline.data.shared import mnist as layout
from pipeline.errors import UserError
from pipeline.store import npy
from pipeline.store.layout import Store
from pipeline.store.ready import TEST, TRAIN, VALIDATION
from tests.pipeline.whole import serving, whole

NAMES = [f"{part}-{what}-ubyte.gz" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1")]


class Published:
    """A web server with a small data set: 30 training and 20 test images, three and two of each class."""

    def __init__(self, module: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.module, self.folder, self.monkeypatch = module, folder, monkeypatch
        self.name = module.__name__.rpartition(".")[2]
        rng = np.random.default_rng(len(self.name))
        self.images = rng.integers(0, 256, (50, 28, 28), dtype=np.uint8)
        self.labels = np.concatenate([rng.permutation(30) % 10, rng.permutation(20) % 10])
        monkeypatch.setattr(layout, "TRAIN", 30)
        monkeypatch.setattr(layout, "TEST", 20)
        for part, rows in (("train", slice(0, 30)), ("t10k", slice(30, 50))):
            self.put(f"{part}-images-idx3-ubyte.gz", self.image_file(self.images[rows]))
            self.put(f"{part}-labels-idx1-ubyte.gz", self.label_file(self.labels[rows]))

    @staticmethod
    def image_file(images: np.ndarray) -> bytes:
        return struct.pack(">IIII", 0x803, len(images), 28, 28) + images.tobytes()

    @staticmethod
    def label_file(labels: np.ndarray) -> bytes:
        return struct.pack(">II", 0x801, len(labels)) + bytes(labels.tolist())

    def put(self, name: str, content: bytes, *, cut: int | None = None) -> None:
        """Publish this as a file of the data set, with its checksum."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / name).write_bytes(gzip.compress(content)[:cut])
        digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in self.folder.iterdir()}
        files = tuple(
            replace(file, urls=(), checksum=f"sha256:{digests.get(file.name, 64 * '0')}", size=None)
            for file in self.module.FILES
        )
        self.monkeypatch.setattr(self.module, "FILES", files)

    def prepared(self, raw: Path, **options: object):
        with serving(self.folder) as address:
            chosen = self.module.Options.model_validate({"mirror": address, **options})
            self.module.fetch(chosen, raw)
        return self.module.prepare(chosen, raw)


@pytest.fixture(params=[mnist, fashion_mnist], ids=["mnist", "fashion_mnist"])
def published(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    monkeypatch.delenv(DOWNLOADS, raising=False)
    return Published(request.param, tmp_path / "published", monkeypatch)


def test_training_images_come_first_then_the_test_images(published: Published, tmp_path: Path):
    prepared = published.prepared(tmp_path / "raw")
    np.testing.assert_array_equal(whole(prepared), published.images[:, None])
    assert (prepared.shape, prepared.storage, prepared.factors, prepared.grid) == (
        (1, 28, 28),
        "uint8",
        None,
        False,
    )
    assert prepared.labels is not None
    assert prepared.labels.dtype == np.int64
    np.testing.assert_array_equal(prepared.labels, published.labels)
    assert prepared.label_names == published.module.ABOUT.labels
    assert len(prepared.label_names) == 10
    assert prepared.official_test is not None
    assert prepared.official_test.dtype == bool
    assert prepared.official_test.nonzero()[0].tolist() == list(range(30, 50))


def test_what_is_there_is_not_fetched_again(published: Published, tmp_path: Path):
    published.prepared(tmp_path / "raw")
    assert sorted(path.name for path in (tmp_path / "raw").iterdir()) == sorted(NAMES)
    for path in published.folder.iterdir():
        path.unlink()
    assert len(whole(published.prepared(tmp_path / "raw"))) == 50


def test_images_come_in_pieces(published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(npy, "BLOCK", 8 * 28 * 28)
    assert [len(block) for block in published.prepared(tmp_path / "raw").blocks] == [8, 8, 8, 6, 8, 8, 4]


@pytest.mark.parametrize("size", [8, 14, 27])
def test_scaled_down_images_are_averages(published: Published, tmp_path: Path, size: int):
    prepared = published.prepared(tmp_path / "raw", image_size=size)
    assert prepared.shape == (1, size, size)
    found = whole(prepared)
    np.testing.assert_array_equal(found, shrink(published.images[:, None], size))
    if size == 14:
        means = published.images.reshape(50, 14, 2, 14, 2).mean(axis=(2, 4))
        np.testing.assert_array_equal(found[:, 0], np.floor(means + 0.5))


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("train-images-idx3-ubyte.gz", slice(0, 29), r"header says \[29, 28, 28\], expected \[30, 28, 28\]"),
        ("t10k-images-idx3-ubyte.gz", slice(30, 40), r"header says \[10, 28, 28\], expected \[20, 28, 28\]"),
        ("train-labels-idx1-ubyte.gz", slice(0, 31), r"header says \[31\], expected \[30\]"),
        ("t10k-labels-idx1-ubyte.gz", slice(31, 50), r"header says \[19\], expected \[20\]"),
    ],
)  # fmt: skip
def test_another_number_of_images_or_labels_is_refused(
    published: Published, tmp_path: Path, name: str, rows: slice, message: str
):
    content = (
        published.image_file(published.images[rows])
        if "images" in name
        else published.label_file(published.labels[rows])
    )
    published.put(name, content)
    with pytest.raises(UserError, match=f"{name}.*{message}"):
        whole(published.prepared(tmp_path / "raw"))


def test_images_in_place_of_labels_and_cut_files_are_refused(published: Published, tmp_path: Path):
    labels = published.label_file(published.labels[30:])
    published.put("t10k-labels-idx1-ubyte.gz", published.image_file(published.images[30:]))
    with pytest.raises(
        UserError, match=r"t10k-labels-idx1-ubyte.gz.* begins with 0x00000803, expected 0x00000801"
    ):
        published.prepared(tmp_path / "raw")
    published.put("t10k-labels-idx1-ubyte.gz", labels)
    published.put("train-images-idx3-ubyte.gz", published.image_file(published.images[:30]), cut=-1000)
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte.gz.*end-of-stream"):
        whole(published.prepared(tmp_path / "raw"))


def test_a_label_that_no_class_has_is_refused(published: Published, tmp_path: Path):
    published.labels[33] = 10
    published.put("t10k-labels-idx1-ubyte.gz", published.label_file(published.labels[30:]))
    with pytest.raises(UserError, match=r"t10k-labels.*: label 10 of image 3; labels are 0 to 9"):
        published.prepared(tmp_path / "raw")


def test_a_raw_file_that_was_cut_is_an_error_and_fetching_repairs_it(published: Published, tmp_path: Path):
    raw = tmp_path / published.name
    published.prepared(raw)
    (raw / NAMES[2]).write_bytes((raw / NAMES[2]).read_bytes()[:-5])
    with pytest.raises(UserError, match=f"{NAMES[2]} is missing, or its checksum .* fetch@{published.name}"):
        published.module.prepare(published.module.Options(), raw)
    np.testing.assert_array_equal(whole(published.prepared(raw)), published.images[:, None])


# --- parts --------------------------------------------------------------------------------------------------


def test_validation_is_drawn_from_the_official_training_images(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store = Store(tmp_path)
    published.prepared(store.raw(published.name))
    options = published.module.Options(validation_fraction=0.2)
    meta = preprocess.prepare(published.name, options, store)
    assert meta["parts"] == {"train": 20, "validation": 10, "test": 20}
    ready = store.read_ready(published.name, verify=True)
    assert ready.split is not None
    assert set(ready.split[:30]) == {TRAIN, VALIDATION}
    assert set(ready.split[30:]) == {TEST}
    assert np.bincount(published.labels[ready.split == VALIDATION]).tolist() == [1] * 10


def test_a_drawn_test_part_is_of_all_images(published: Published, tmp_path: Path):
    store = Store(tmp_path)
    published.prepared(store.raw(published.name))
    options = published.module.Options(split="drawn", test_fraction=0.2)
    assert published.module.prepare(options, store.raw(published.name)).official_test is None
    preprocess.prepare(published.name, options, store)
    test = store.read_ready(published.name).test
    assert test is not None
    assert test.sum() == 10
    assert test[:30].any()
    assert not test[30:].all()
    assert np.bincount(published.labels[test]).tolist() == [1] * 10


@pytest.mark.parametrize("module", [mnist, fashion_mnist])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test_fraction": 0.2}, "split: official has .* so test_fraction must be 0.*set split to drawn"),
        ({"split": "half"}, "'official' or 'drawn'"),
        ({"image_size": 32}, "scaled down only, from 28 pixels"),
        ({"image_size": 7}, "to 8 or more"),
        ({"mirror": "ftp://example.org"}, "ftp:// is not supported"),
        ({"padding": 2}, "Extra inputs"),
    ],
)
def test_options_that_cannot_be_are_refused(module: ModuleType, options: dict, message: str):
    with pytest.raises(ValidationError, match=message):
        module.Options.model_validate(options)


# --- what is published --------------------------------------------------------------------------------------


def test_genuine_files_have_the_checksums_and_sizes_that_are_expected(shared: Path):
    for file in mnist.FILES[2:]:
        path = shared / "data" / "mnist" / file.name
        assert holds(path, file.checksum)
        assert path.stat().st_size == file.size


def test_genuine_test_images_go_through(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The training files are not at hand: made up ones stand in for them."""
    genuine = mnist.FILES[2:]
    made_up = Published(mnist, tmp_path / "published", monkeypatch)
    monkeypatch.setattr(layout, "TEST", 10_000)
    for file in genuine:
        (tmp_path / "published" / file.name).write_bytes((shared / "data" / "mnist" / file.name).read_bytes())
    monkeypatch.setattr(mnist, "FILES", (*mnist.FILES[:2], *(replace(file, urls=()) for file in genuine)))
    prepared = made_up.prepared(tmp_path / "raw")
    assert prepared.labels is not None
    assert prepared.official_test is not None
    digits = prepared.labels[prepared.official_test]
    assert np.bincount(digits).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    images = whole(prepared)[prepared.official_test]
    assert images.shape == (10_000, 1, 28, 28)
    # Ones have the least ink and zeros the most, as is known of MNIST: labels and images belong together.
    ink = [images[digits == digit].mean() for digit in range(10)]
    assert (int(np.argmin(ink)), int(np.argmax(ink))) == (1, 0)

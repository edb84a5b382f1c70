"""Files are written whole or not at all; damaged ones are named together with the cure."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.store.files import atomic
from pipeline.store.layout import Store


def test_atomic_leaves_the_old_file_when_writing_fails(tmp_path: Path):
    path = tmp_path / "f.txt"
    path.write_text("old")

    def fail() -> None:
        with atomic(path) as temporary:
            temporary.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_ready_data_come_back_as_written(digits_store: Store):
    ready = digits_store.read_ready("digits", verify=True)
    assert ready.images.shape == (300, 1, 8, 8)
    assert ready.shape == (1, 8, 8)
    assert len(ready.labels) == len(ready) == 300
    assert ready.factors is None
    assert len(ready.train_rows) == 240


def test_the_checksum_is_of_the_content(digits_store: Store, tmp_path: Path):
    ready = digits_store.read_ready("digits")
    again = Store(tmp_path / "other")
    meta = {"shape": [1, 8, 8], "storage": "uint8"}
    same = again.write_ready("digits", images=ready.images, labels=ready.labels, split=ready.split, meta=meta)
    assert same["checksum"] == ready.meta["checksum"]
    images = ready.images.copy()
    images[7, 0, 3, 3] ^= 1
    other = again.write_ready("digits", images=images, labels=ready.labels, split=ready.split, meta=meta)
    assert other["checksum"] != ready.meta["checksum"]


@pytest.mark.parametrize("name", ["images.npy", "labels.npy", "meta.json"])
def test_truncated_ready_data_are_named_with_the_cure(digits_store: Store, name: str):
    path = digits_store.ready("digits") / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=rf"{name}.*dvc repro --force preprocess@digits"):
        digits_store.read_ready("digits")


def test_a_changed_byte_shows_when_verified(digits_store: Store):
    path = digits_store.ready("digits") / "images.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    digits_store.read_ready("digits")
    with pytest.raises(UserError, match=r"checksum.*dvc repro --force preprocess@digits"):
        digits_store.read_ready("digits", verify=True)


def test_missing_arrays_and_rows(digits_store: Store):
    folder = digits_store.ready("digits")
    np.save(folder / "labels.npy", np.zeros(5, dtype=np.int64))
    with pytest.raises(UserError, match=r"labels\.npy has 5 rows"):
        digits_store.read_ready("digits")
    (folder / "images.npy").unlink()
    with pytest.raises(UserError, match=r"images\.npy is missing"):
        digits_store.read_ready("digits")
    with pytest.raises(UserError, match="preprocess@nothing"):
        digits_store.read_ready("nothing")


def test_a_result_counts_only_with_its_files(tmp_path: Path):
    store = Store(tmp_path)
    folder = store.run("digits", "k")
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"12345")
    (folder / "checkpoint.pt").write_bytes(b"c")
    (folder / "failure.json").write_text("{}")
    store.write_result("digits", "k", {"status": "finished"}, ("model.safetensors",))
    assert store.result("digits", "k")["status"] == "finished"
    assert {path.name for path in folder.iterdir()} == {"model.safetensors", "result.json"}
    (folder / "model.safetensors").write_bytes(b"123")
    assert store.result("digits", "k") is None
    (folder / "model.safetensors").write_bytes(b"12345")
    (folder / "result.json").write_text(json.dumps(["no", "result"]))
    assert store.result("digits", "k") is None

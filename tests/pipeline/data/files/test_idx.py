"""IDX: bytes written by hand after the format's description are read; anything else is an error."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.files import idx
from pipeline.errors import UserError
from pipeline.store import npy

IMAGES = bytes.fromhex("00000803 00000003 00000002 00000004") + bytes(range(24))
LABELS = bytes.fromhex("00000801 00000005") + bytes([7, 2, 1, 0, 255])


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content, mtime=0))
    return path


def test_images_and_labels_are_read(tmp_path: Path):
    images = np.concatenate(list(idx.blocks(written(tmp_path / "images", IMAGES), (3, 2, 4))))
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, np.arange(24).reshape(3, 2, 4))
    labels = np.concatenate(list(idx.blocks(written(tmp_path / "labels", LABELS), (5,))))
    assert labels.tolist() == [7, 2, 1, 0, 255]


def test_an_array_comes_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Eight bytes to an image: blocks of 16 bytes have two, whatever is asked for in all."""
    monkeypatch.setattr(npy, "BLOCK", 16)
    blocks = list(idx.blocks(written(tmp_path / "images", IMAGES), (3, 2, 4)))
    assert [len(block) for block in blocks] == [2, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (LABELS, r"begins with 0x00000801, expected 0x00000803 \(unsigned bytes, dimensions: 3\)"),
        (IMAGES.replace(b"\x08", b"\x0d", 1), "begins with 0x00000d03"),
        (IMAGES[:4][::-1] + IMAGES[4:], "begins with 0x03080000"),
        (b"", r"begins with 0x\?"),
        (IMAGES[:15], "ends within its header"),
        (
            IMAGES.replace(b"\x03\x00\x00\x00\x02", b"\x02\x00\x00\x00\x02"),
            r"header says \[2, 2, 4\], expected \[3, 2, 4\]",
        ),
        (IMAGES.replace(b"\x00\x00\x00\x04", b"\x80\x00\x00\x04"), r"header says \[3, 2, 2147483652\]"),
        (IMAGES[:-1], "ends within rows 0 to 2 of 3"),
        (IMAGES[:-8], "ends within rows 0 to 2 of 3"),
        (IMAGES + b"\x00", "goes on after the last value"),
    ],
)
def test_another_array_is_refused(tmp_path: Path, content: bytes, message: str):
    path = written(tmp_path / "images", content)
    with pytest.raises(UserError, match=rf"images is not the gzipped IDX file.*{message}.*fetch it again"):
        list(idx.blocks(path, (3, 2, 4)))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: raw[:-9], "end-of-stream marker"),
        (lambda raw: raw[:5], "end-of-stream marker"),
        (lambda raw: raw[:-8] + b"\x00" + raw[-7:], "CRC check failed"),
        (lambda raw: raw[:10] + b"\xff" * 8 + raw[18:], "invalid block type"),
        (lambda raw: raw + b"more", "Not a gzipped file"),
        (lambda raw: IMAGES, "Not a gzipped file"),
        (lambda raw: b"<!DOCTYPE html>", "Not a gzipped file"),
    ],
)
def test_a_damaged_file_is_an_error(tmp_path: Path, damage, message: str):
    path = tmp_path / "images"
    path.write_bytes(damage(gzip.compress(IMAGES, mtime=0)))
    with pytest.raises(UserError, match=f"images is not the gzipped IDX file.*{message}"):
        list(idx.blocks(path, (3, 2, 4)))


def test_genuine_files_are_read(shared: Path):
    """The published counts of digits in MNIST's test set; the first images are 7, 2, 1, 0, 4; digits are
    centred."""
    folder = shared / "data" / "mnist"
    labels = np.concatenate(list(idx.blocks(folder / "t10k-labels-idx1-ubyte.gz", (10_000,))))
    assert np.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert labels[:5].tolist() == [7, 2, 1, 0, 4]
    images = np.concatenate(list(idx.blocks(folder / "t10k-images-idx3-ubyte.gz", (10_000, 28, 28))))
    assert (images.min(), images.max()) == (0, 255)
    # "centered in a 28x28 image by computing the center of mass of the pixels": a header read as pixels would
    # move all.
    mass = images.sum(axis=(1, 2))
    for axis in (1, 2):
        centre = (images.sum(axis=3 - axis) * np.arange(28)).sum(axis=1) / mass
        assert np.abs(centre - 14).max() < 1

"""Fashion-MNIST's own names and files; test_mnist.py tests what it shares with MNIST."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.data.datasets import fashion_mnist, mnist
from pipeline.data.files.download import DOWNLOADS
from tests.pipeline.whole import serving


def test_classes_have_the_names_of_the_authors_table():
    labels = fashion_mnist.ABOUT.labels
    assert (labels[0], labels[3], labels[6], labels[9]) == ("T-shirt/top", "Dress", "Shirt", "Ankle boot")
    assert len(set(labels)) == 10


def test_no_file_is_one_of_mnist():
    assert [file.name for file in fashion_mnist.FILES] == [file.name for file in mnist.FILES]
    assert not {file.checksum for file in fashion_mnist.FILES} & {file.checksum for file in mnist.FILES}
    assert not {url for file in fashion_mnist.FILES for url in file.urls} & {
        url for file in mnist.FILES for url in file.urls
    }


def test_files_of_mnist_in_the_mirror_of_all_data_sets_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Both have files of the same names, and BETABENCH_DOWNLOADS is one folder."""
    downloads, home = tmp_path / "downloads", tmp_path / "home"
    downloads.mkdir()
    home.mkdir()
    for file in mnist.FILES:
        (downloads / file.name).write_bytes(b"digits, more of them")
        (home / file.name).write_bytes(b"clothes")
    monkeypatch.setenv(DOWNLOADS, str(downloads))
    checksum = f"sha256:{hashlib.sha256(b'clothes').hexdigest()}"
    with serving(home) as address:
        files = tuple(
            replace(file, urls=(f"{address}/{file.name}",), checksum=checksum, size=None)
            for file in fashion_mnist.FILES
        )
        monkeypatch.setattr(fashion_mnist, "FILES", files)
        fashion_mnist.fetch(fashion_mnist.Options(), tmp_path / "raw")
    assert {path.read_bytes() for path in (tmp_path / "raw").iterdir()} == {b"clothes"}

"""Every data set says what it is, and the pages of documentation are what the modules say."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from pipeline.data.arrays.dataset import About, CommonOptions
from pipeline.data.files.download import CHECKSUM_PATTERN
from pipeline.reporting import dataset_pages
from pipeline.study.folders import members

FOLDER = Path(__file__).parents[3] / "docs" / "datasets"
NAMES = members("pipeline.data.datasets")
BY_HAND = {"celeba"}
"""Its terms and its host forbid scripted downloads."""
OWN = {"arrays", "folder"}
"""The user's own data: their source, licence and paper are the user's to name."""


@pytest.mark.parametrize("name", NAMES)
def test_a_data_set_has_all_that_it_needs(name: str):
    module = importlib.import_module(f"pipeline.data.datasets.{name}")
    assert module.__all__ == ["ABOUT", "Options", "fetch", "prepare"]
    about: About = module.ABOUT
    assert issubclass(module.Options, CommonOptions)
    for said in (about.title, about.what, about.licence, about.citation, about.source):
        assert said.strip()
    if name not in OWN:
        assert re.search(r"(19|20)\d\d", about.citation), "no year"
        assert about.source.startswith("http")
    for file in about.files:
        assert file.checksum is None or re.fullmatch(CHECKSUM_PATTERN, file.checksum)
        assert file.urls or name in BY_HAND
        assert all(url.startswith("http") for url in file.urls)


@pytest.mark.parametrize("name", NAMES)
def test_every_option_has_a_meaning(name: str):
    page = dataset_pages.page(name)
    options = importlib.import_module(f"pipeline.data.datasets.{name}").Options
    for key in options.model_fields:
        (meaning,) = re.findall(rf"^\| `{key}` \| (.*?) \| ", page, re.MULTILINE)
        assert len(meaning.split()) > 2, key


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_what_the_module_says(name: str):
    pictures = [path.name for path in FOLDER.glob(f"{name}-*.png")]
    assert (FOLDER / f"{name}.md").read_text() == dataset_pages.page(name, pictures), "run: make docs"


def test_there_is_a_page_for_every_data_set_and_no_other():
    assert {path.stem for path in FOLDER.glob("*.md")} - {"README"} == set(NAMES), "run: make docs"
    assert (FOLDER / "README.md").read_text() == dataset_pages.index(), "run: make docs"
    assert {path.name.rpartition("-")[0] for path in FOLDER.glob("*.png")} <= set(NAMES)

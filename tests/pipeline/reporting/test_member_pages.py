"""The committed pages of models are those that the generator writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.reporting import member_pages
from pipeline.study import catalogue

FOLDER = Path(__file__).parents[3] / "docs" / "models"
PAGES = member_pages.pages()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_modules_say(name: str):
    assert (FOLDER / name).read_text() == PAGES[name], "run: make docs"


def test_there_is_no_other_page():
    assert {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.md")} == PAGES.keys(), (
        "run: make docs"
    )


@pytest.mark.parametrize("kind", catalogue.MEMBERS)
def test_every_member_has_its_page_or_section_with_all_of_its_options(kind: str):
    for entry in catalogue.entries(kind):
        page = PAGES[f"families/{entry.name}.md" if kind == "families" else f"{kind}.md"]
        assert f"`{entry.name}` · [{entry.file}]" in page
        assert kind == "families" or f"\n## {entry.name}\n" in page
        for option in entry.options:
            assert re.search(rf"^\| `{option.name}` \|", page, re.MULTILINE)


@pytest.mark.parametrize("name", PAGES)
def test_links_to_files_lead_somewhere(name: str):
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", PAGES[name]):
        assert (FOLDER / name).parent.joinpath(link).exists(), link


def test_pages_of_files_that_are_gone_are_removed(tmp_path: Path):
    (tmp_path / "families").mkdir()
    (tmp_path / "families" / "gone.md").write_text("old")
    member_pages.main([str(tmp_path)])
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.md")} == PAGES.keys()

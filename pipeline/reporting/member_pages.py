"""Pages of documentation for all parts of a model, generated from the catalogue.

    python -m pipeline.reporting.member_pages docs/models

writes a page for each family (families/<name>.md), a page for each other folder (networks.md, priors.md,
...), and the overview README.md. It removes pages of files that no longer exist.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from metrics.pages import prose
from pipeline.reporting.markdown import options, table
from pipeline.study import catalogue
from pipeline.study.catalogue import Entry

__all__ = ["main", "pages"]

FIRST_AUTHOR = re.compile(r"^(?:[A-Z]\.[ -]?)+ ?([^,]+)")
YEAR = re.compile(r"\b(?:19|20)\d\d\b")
ADDRESS = re.compile(r"arXiv:(\d{4}\.\d{4,5})|(https?://[^\s,]+[^\s,.])")


def pages() -> dict[str, str]:
    """Path below the folder -> Markdown."""
    written = {f"families/{entry.name}.md": _page(entry) for entry in catalogue.entries("families")}
    written |= {f"{kind}.md": _folder(kind) for kind in catalogue.MEMBERS if kind != "families"}
    return written | {"README.md": _index()}


def _page(entry: Entry) -> str:
    return _joined([f"# {entry.title}", *_parts(entry, root="../../..", schedules="../schedules.md")])


def _folder(kind: str) -> str:
    title, _, text = catalogue.description(kind).partition("\n")
    parts = [f"# {title.rstrip('.')}", prose(text)]
    for entry in catalogue.entries(kind):
        parts += [
            f"## {entry.name}",
            f"{entry.title}.",
            *_parts(entry, root="../..", schedules="schedules.md"),
        ]
    return _joined(parts)


def _parts(entry: Entry, *, root: str, schedules: str) -> list[str]:
    """All of an entry but its title. ``root`` leads from the page to the root of the repository."""
    parts = [f"`{entry.name}` · [{entry.file}]({root}/{entry.file})", prose(entry.text)]
    if entry.options:
        parts.append(options(entry.options))
    if any(option.scheduled for option in entry.options):
        parts.append(f"*Schedule*: the value may be a number or a [schedule]({schedules}).")
    if entry.facts:
        parts.append(table(["property", ""], entry.facts))
    if entry.example:
        parts.append(f"In params.yaml:\n\n```yaml\n{entry.example}```")
    return parts


def _index() -> str:
    parts = [
        "# Models",
        "A model is composed of a family (its objective), a network with an initialization, a likelihood and "
        "a corruption. The family declares its posterior and its prior. Each is one file in `vaecore/`, and "
        "the file's name is its name in params.yaml. Pages are generated from the files (`make docs`).",
    ]
    for kind in catalogue.MEMBERS:
        page = "families/{name}.md" if kind == "families" else f"{kind}.md#{{name}}"
        rows = [
            (
                f"[`{entry.name}`]({page.format(name=entry.name)})",
                entry.title,
                ", ".join(f"`{option.name}`" for option in entry.options),
                ", ".join(map(_link, entry.papers)),
            )
            for entry in catalogue.entries(kind)
        ]
        parts += [f"## {kind.capitalize()}", table(["name", "what it is", "options", "papers"], rows)]
    return _joined(parts)


def _link(paper: str) -> str:
    """First author and year of a citation, linked to its address."""
    author, year, address = FIRST_AUTHOR.search(paper), YEAR.search(paper), ADDRESS.search(paper)
    assert author is not None, f"a citation starts with the first author's initials: {paper}"
    assert year is not None, paper
    text = f"{author[1]} {year[0]}"
    if address is None:
        return text
    return f"[{text}]({f'https://arxiv.org/abs/{address[1]}' if address[1] else address[2]})"


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.reporting.member_pages", description="Write the pages of models."
    )
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args(arguments).folder
    written = pages()
    for path in folder.rglob("*.md"):
        if path.relative_to(folder).as_posix() not in written:
            path.unlink()
    for name, text in written.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    print(f"member_pages: {len(written)} pages: {folder}")


if __name__ == "__main__":
    main()

"""A page of documentation for each data set, generated from the catalogue: its card in Markdown.

    python -m pipeline.reporting.dataset_pages docs/datasets [--pictures]

writes <name>.md for every data set, and README.md. ``--pictures`` also draws <name>-samples.png and
<name>-factors.png of the data sets in data/ready. A page shows the pictures that lie beside it; a data set
that has not been downloaded has none.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.filesize import decimal

from metrics.pages import prose
from pipeline.data.files.download import RemoteFile
from pipeline.errors import user_errors
from pipeline.reporting import cards
from pipeline.reporting.markdown import options, table
from pipeline.store.layout import Store
from pipeline.study import catalogue

__all__ = ["index", "main", "page"]

TRUTH = ("factors", "classes", "attributes")
"""Facts that are known of every image."""


def page(name: str, pictures: Sequence[str] = ()) -> str:
    """The page of one data set, Markdown; ``pictures`` are the names of those that lie beside it."""
    entry = catalogue.entry("datasets", name)
    facts = dict(entry.facts)
    shown = [
        f"![{what} of {name}]({name}-{what}.png)\n\n{caption}"
        for what, caption in cards.CAPTIONS.items()
        if f"{name}-{what}.png" in pictures
    ]
    about = cards.about(name)
    assert about is not None
    parts = [
        f"# {entry.title}",
        f"`{name}`: {facts.pop('what')}",
        *(shown or ["The report of a study that uses the data set has its pictures."]),
        table(["", ""], [*facts.items(), ("citation", *entry.papers)]),
        *_files(about.files),
        "## What it is, how it is read",
        prose(entry.text),
        "## Options",
        options(entry.options),
        f"In params.yaml:\n\n```yaml\n{entry.example}```",
    ]
    return "\n\n".join(parts) + "\n"


def index() -> str:
    """The overview, Markdown."""
    rows = []
    for entry in catalogue.entries("datasets"):
        facts = dict(entry.facts)
        truth = "; ".join(f"{what}: {facts[what]}" for what in TRUTH if what in facts)
        rows.append((f"[`{entry.name}`]({entry.name}.md)", facts["what"], truth or "–"))
    return (
        "# Data sets\n\n"
        "One file each in `pipeline/data/datasets/`, chosen by name under `datasets` in params.yaml. Pages "
        "are generated from the modules (`make docs`). Colours are in the order red, green, blue, values "
        "from 0 (black) to 255 (white). Factors are in the order of `factors.npy`, and a full grid is stored "
        "in their lexicographic order, the last one fastest.\n\n"
        + table(["name", "what", "known of every image"], rows)
        + "\n"
    )


def _files(files: Sequence[RemoteFile]) -> list[str]:
    if not files:
        return []
    rows = [
        (
            f"`{file.name}`",
            "not known" if file.size is None else decimal(file.size),
            f"`{file.checksum}`" if file.checksum else "not published: pinned at the first download",
            " ".join(file.urls) or "brought by hand",
        )
        for file in files
    ]
    return ["## Files", table(["file", "size", "checksum", "addresses"], rows)]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.reporting.dataset_pages", description="Write the data sets' pages."
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", action="store_true", help="draw those of the data sets in data/ready")
    chosen = parser.parse_args(arguments)
    folder: Path = chosen.folder
    folder.mkdir(parents=True, exist_ok=True)
    store = Store(Path.cwd())
    names = catalogue.names("datasets")
    for name in names:
        if chosen.pictures and (store.ready(name) / "meta.json").exists():
            for what, picture in cards.pictures(store.read_ready(name)).items():
                (folder / f"{name}-{what}.png").write_bytes(picture)
        pictures = [path.name for path in folder.glob(f"{name}-*.png")]
        (folder / f"{name}.md").write_text(page(name, pictures), encoding="utf-8")
    (folder / "README.md").write_text(index(), encoding="utf-8")
    print(f"dataset_pages: {len(names)} data sets: {folder}")


if __name__ == "__main__":
    with user_errors("dataset_pages"):
        main()

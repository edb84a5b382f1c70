"""A page of documentation for each data set, from what its module says: its card in Markdown.

    python -m pipeline.reporting.dataset_pages docs/datasets [--pictures]

writes <name>.md for every data set, and README.md. ``--pictures`` also draws <name>-samples.png and <name>-factors.png of
those that lie prepared in data/ready; a page shows the pictures that lie beside it. A data set that has to be downloaded
and was not has none.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.filesize import decimal

from metrics.pages import prose
from pipeline.data.arrays.dataset import About, CommonOptions
from pipeline.errors import user_errors
from pipeline.reporting import cards
from pipeline.store.layout import Store
from pipeline.study.folders import members

__all__ = ["index", "main", "page"]

CAPTIONS = {
    "samples": "Images drawn at random.",
    "factors": "A row per factor, which alone changes along it; without a full grid, a row per class, factor or attribute.",
}


def page(name: str, pictures: Sequence[str] = ()) -> str:
    """The page of one data set, Markdown; ``pictures`` are the names of those that lie beside it."""
    module = importlib.import_module(f"pipeline.data.datasets.{name}")
    about: About = module.ABOUT
    _, _, rest = (module.__doc__ or "").strip().partition("\n")
    shown = [
        f"![{what} of {name}]({name}-{what}.png)\n\n{caption}"
        for what, caption in CAPTIONS.items()
        if f"{name}-{what}.png" in pictures
    ]
    if not shown:
        shown = ["Its pictures are in the report of a study that uses it: it has to be brought first."]
    parts = [
        f"# {about.title}",
        f"`{name}`: {about.what}",
        *shown,
        "| | |\n|---|---|\n" + "\n".join(f"| {what} | {_cell(value)} |" for what, value in _facts(about)),
    ]
    if about.files:
        rows = "\n".join(
            f"| `{file.name}` | {decimal(file.size) if file.size is not None else 'not known'} | "
            f"{f'`{file.checksum}`' if file.checksum else 'none is known: pinned at the first download'} | {_cell(' '.join(file.urls)) or 'brought by hand'} |"
            for file in about.files
        )
        parts += ["## Files", f"| file | size | checksum | addresses |\n|---|---|---|---|\n{rows}"]
    parts += ["## What it is, how it is read", prose(rest), "## Options", _options(module.Options)]
    return "\n\n".join(parts) + "\n"


def index() -> str:
    """The overview, Markdown."""
    rows = []
    for name in members("pipeline.data.datasets"):
        about: About = importlib.import_module(f"pipeline.data.datasets.{name}").ABOUT
        known = dict(_facts(about))
        truth = "; ".join(
            f"{what}: {known[what]}" for what in ("factors", "classes", "attributes") if what in known
        )
        rows.append(f"| [`{name}`]({name}.md) | {_cell(about.what)} | {_cell(truth) or '–'} |")
    return (
        "# Data sets\n\n"
        "One file each in `pipeline/data/datasets/`, chosen by name under `datasets` in params.yaml. Pages are generated from the modules "
        "(`make docs`). Colours are in the order red, green, blue, values from 0 (black) to 255 (white); factors are in the order of "
        "`factors.npy`, and a full grid is stored in their lexicographic order, the last one fastest.\n\n"
        "| name | what | known of every image |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def _facts(about: About) -> list[tuple[str, str]]:
    factors = about.factors
    if len(factors) > cards.LISTED:
        listed = f"{len(factors)}, of {', '.join(map(str, sorted(set(factors.values()))))} values each: {', '.join(factors)}"
    else:
        listed = ", ".join(f"{factor} ({size})" for factor, size in factors.items())
    found = [
        ("factors", listed),
        ("classes", ", ".join(about.labels)),
        ("attributes", ", ".join(about.attributes)),
        ("source", about.source),
        ("licence", about.licence),
        ("citation", about.citation),
    ]
    return [(what, value) for what, value in found if value]


def _options(options: type[CommonOptions]) -> str:
    """A row per key: its default and what its class says below it."""
    said: dict[str, str] = {}
    for parent in reversed(options.__mro__):
        if issubclass(parent, CommonOptions):
            said |= _said(parent)
    rows = []
    for key, field in options.model_fields.items():
        default: Any = field.get_default(call_default_factory=True)
        shown = "null" if default is None else str(default).lower() if isinstance(default, bool) else default
        rows.append(
            f"| `{key}` | {'required' if field.is_required() else f'`{shown}`'} | {_cell(said.get(key, ''))} |"
        )
    return "| key | default | |\n|---|---|---|\n" + "\n".join(rows)


def _said(cls: type) -> dict[str, str]:
    """Field -> the string that stands below it in the class's source."""
    found = re.findall(
        r"^    (\w+): [^\n]*(?:\n        [^\n]*)*?\n(?:    [\])}]+[^\n]*\n)?    \"\"\"(.*?)\"\"\"",
        inspect.getsource(cls),
        re.DOTALL | re.MULTILINE,
    )
    return {name: " ".join(text.split()).replace("``", "`") for name, text in found}


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


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
    for name in members("pipeline.data.datasets"):
        if chosen.pictures and (store.ready(name) / "meta.json").exists():
            for what, picture in cards.pictures(store.read_ready(name)).items():
                (folder / f"{name}-{what}.png").write_bytes(picture)
        pictures = [path.name for path in folder.glob(f"{name}-*.png")]
        (folder / f"{name}.md").write_text(page(name, pictures), encoding="utf-8")
    (folder / "README.md").write_text(index(), encoding="utf-8")
    print(f"data_pages: {len(members('pipeline.data.datasets'))} data sets: {folder}")


if __name__ == "__main__":
    with user_errors("data_pages"):
        main()

"""The pages of docs/metrics: one of each metric, made of its module, and an overview with two tables.

    python -m metrics.pages docs/metrics        writes <name>.md for every metric, README.md and punishes.csv

A page is the module's docstring (definition, symbols, direction, what degenerate input gives, papers), the
function's docstring and settings, and RANGE, BLIND_TO and COST. The overview has the table of the arrays
(`metrics.vocabulary`) and the table of what each metric punishes: every metric of codes is computed on the
worlds of `metrics.cases`, with its default settings.
"""

from __future__ import annotations

import csv
import inspect
import io
import math
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

import metrics
from metrics import cases
from metrics.parameters import parameters
from metrics.vocabulary import ARRAYS, Array

__all__ = [
    "COLUMNS",
    "PUNISHED",
    "index",
    "judged",
    "mark",
    "page",
    "prose",
    "punishments",
    "read_table",
    "write_table",
]

COLUMNS = (
    "perfect",
    "permuted",
    "duplicated",
    "rotated",
    "merged",
    "missing",
    "noisy",
    "noise",
    "constant",
    "few",
)
PUNISHED = (0.1, 0.5)
"""Shares of the way from perfect to the worst case: punished in part from the first on, then punished."""

_FOLDERS = {
    "disentanglement": "Do codes and ground-truth factors correspond?",
    "rate": "How much do the codes say, in nats?",
    "reconstruction": "How well do images come back?",
    "representation": "What are the codes good for afterwards?",
    "samples": "Do images made from the prior look like the data?",
}
PRIOR = "The prior N(0, I): a study leaves it out for a family that has another one."
_ALIGNED = re.compile(r"^\S.{0,40}?\s{2,}\S")

Table = Mapping[str, Mapping[str, float]]


def judged() -> list[str]:
    """The metrics of the table: those that need an array of latents, or of groups of them."""
    return [
        name
        for name in metrics.names()
        if any({"L", "G"} & {*ARRAYS[array].shape} for array in parameters(name).arrays)
    ]


def punishments(
    names: Iterable[str] | None = None, columns: Iterable[str] = COLUMNS
) -> dict[str, dict[str, float]]:
    """Key of a main value, or of a part -> case -> value; NaN where the metric refuses a case."""
    table: dict[str, dict[str, float]] = {}
    for name in judged() if names is None else names:
        about = metrics.describe(name)
        arrays = parameters(name).arrays
        rows: dict[str, dict[str, float]] = {key: {} for key in (about.main, *about.parts)}
        for case in columns:
            world = cases.world(case) | {"rng": np.random.default_rng(0)}
            try:
                found = metrics.function(name)(**{array: world[array] for array in arrays})
            except ValueError:
                found = {}
            for key, row in rows.items():
                row[case] = found.get(key, math.nan)
        table |= rows
    return table


def mark(row: Mapping[str, float], case: str, higher: bool | None) -> str:
    """ "●": the case is punished, "◐": in part, "": not, or perfect is hardly better than any other case."""
    finite = [value for value in row.values() if math.isfinite(value)]
    if higher is None or not math.isfinite(row[case]):
        return "●" if higher is False and row[case] == math.inf else ""
    worst = min(finite) if higher else max(finite)
    span = row["perfect"] - worst
    if abs(span) <= 0.02 * max(abs(value) for value in finite):
        return ""
    share = (row["perfect"] - row[case]) / span
    part, whole = PUNISHED
    return "●" if share >= whole else "◐" if share >= part else ""


def page(name: str) -> str:
    """The page of one metric, Markdown."""
    about = metrics.describe(name)
    function = metrics.function(name)
    title, _, rest = about.text.strip().partition("\n")
    direction = {True: "higher is better", False: "lower is better", None: "neither end is better"}[
        about.higher_is_better
    ]
    low, high = (f"{end:g}".replace("inf", "∞") for end in about.range)
    facts = [f"`{name}`", about.folder, about.unit or "pure number", direction, f"from {low} to {high}"]
    has = parameters(name)
    required = [array for array in has.arrays if array not in has.settings and array != "test"]
    call = ", ".join([*required, *(["test=None"] if "test" in has.arrays else [])])
    parts = [
        f"# {title.rstrip('.')}",
        " · ".join(facts) + ("" if about.main == name else f" · main value `{about.main}`"),
        prose(rest),
        "## Call",
        f"```python\nfrom metrics.{about.folder}.{name} import {name}\n\n{name}({call})\n```",
        prose(inspect.getdoc(function) or ""),
    ]
    if has.settings:
        rows = "\n".join(f"| `{key}` | `{_written(each.default)}` |" for key, each in has.settings.items())
        parts.append(f"| setting | default |\n|---|---|\n{rows}")
    if about.standard_normal:
        parts += ["## What it presumes", PRIOR]
    parts += ["## What it is blind to", about.blind_to, "## Cost", about.cost]
    return "\n\n".join(part for part in parts if part) + "\n"


def index(table: Table) -> str:
    """The overview, Markdown: every metric by folder, the arrays, and the table of punishments."""
    parts = [
        "# Metrics",
        "Arrays in, numbers out: `metrics.function(name)` or an import of the module. Pages are generated "
        "from the modules (`make docs`).",
    ]
    described = [metrics.describe(name) for name in metrics.names()]
    for folder, question in _FOLDERS.items():
        rows = [
            f"| [`{about.name}`]({about.name}.md) | {about.title} | {about.unit or '–'} | "
            f"{ {True: '▲', False: '▼', None: ''}[about.higher_is_better] } |"
            for about in described
            if about.folder == folder
        ]
        parts += [
            f"## {folder.capitalize()}: {question}",
            "| metric | what | unit | better |\n|---|---|---|---|\n" + "\n".join(rows),
        ]
    parts += [
        "## Arrays",
        "A metric needs the arrays that its parameters are named after (`metrics.vocabulary`): N images, L "
        "latents, G groups of latents, K ground-truth factors, P peers (other seeds), M samples; images are "
        "C × H × W.",
        "| array | shape | values | unit | what | from |\n|---|---|---|---|---|---|\n"
        + "\n".join(_array(array) for array in ARRAYS.values()),
    ]
    header = "| metric | " + " | ".join(COLUMNS) + " |\n|---|" + "---:|" * len(COLUMNS)
    metric_of = {key: about for about in described for key in (about.main, *about.parts)}
    rows = [
        f"| [`{key}`]({metric_of[key].name}.md) | "
        + " | ".join(_cell(row, case, metric_of[key].higher_is_better) for case in COLUMNS)
        + " |"
        for key, row in table.items()
    ]
    legend = (cases.__doc__ or "").split("\n\n")[1]
    parts += [
        "## Which metric punishes what",
        "Values on codes that are right or wrong in one way each (`metrics.cases`), at default settings. "
        f"● at least {PUNISHED[1]:.0%} of the way from perfect to the worst case, ◐ at least "
        f"{PUNISHED[0]:.0%}; – the metric refuses the case. No marks where neither end is better, or no case "
        "is worse than perfect.",
        header + "\n" + "\n".join(rows),
        legend,
    ]
    return "\n\n".join(parts) + "\n"


def _array(array: Array) -> str:
    shape = " or ".join(f"[{axes}]" for axes in array.shape.split(" or ")) if array.shape else "–"
    meaning = array.meaning.replace("|", "\\|")
    cells = (f"`{array.name}`", shape, array.values, array.unit or "–", meaning, array.source.value)
    return f"| {' | '.join(cells)} |"


def _cell(row: Mapping[str, float], case: str, higher: bool | None) -> str:
    value = row[case]
    if math.isnan(value):
        return "–"
    shown = f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"
    return " ".join(part for part in (mark(row, case, higher), shown.replace("inf", "∞")) if part)


def prose(text: str) -> str:
    """A docstring as Markdown: formulas and aligned lists stay, the rest flows, arXiv numbers are links."""
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
        lines = paragraph.split("\n")
        if lines[0].startswith("|"):
            paragraphs.append(paragraph)
        elif all(line.startswith("   ") for line in lines) or any(_ALIGNED.match(line) for line in lines):
            paragraphs.append("```text\n" + inspect.cleandoc("\n" + paragraph) + "\n```")
        else:
            flowing = " ".join(line.strip() for line in lines)
            paragraphs.append(
                re.sub(r"arXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", flowing)
            )
    return "\n\n".join(paragraphs).replace("\n```\n\n```text\n", "\n\n")  # formula and symbols are one block


def _written(default: object) -> str:
    return f"{default:_}" if isinstance(default, int) and not isinstance(default, bool) else repr(default)


def write_table(table: Table) -> str:
    """The table as CSV, four digits."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["metric", *COLUMNS])
    for name, row in table.items():
        writer.writerow([name, *(f"{row[case]:.4g}" for case in COLUMNS)])
    return out.getvalue()


def read_table(text: str) -> dict[str, dict[str, float]]:
    """The table that `write_table` wrote."""
    return {
        row["metric"]: {case: float(row[case]) for case in COLUMNS}
        for row in csv.DictReader(io.StringIO(text))
    }


def main(folder: Path) -> None:
    """Write all pages and the table into `folder`, and remove pages of metrics that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    # The overview shows the digits that the CSV has.
    table = read_table(write_table(punishments()))
    pages = {f"{name}.md": page(name) for name in metrics.names()}
    pages |= {"README.md": index(table), "punishes.csv": write_table(table)}
    for stale in {path.name for path in folder.glob("*.md")} - pages.keys():
        (folder / stale).unlink()
    for file, text in pages.items():
        (folder / file).write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

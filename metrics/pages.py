"""A page of documentation for each metric, from what its module says, and the table of what each metric punishes.

    python -m metrics.pages docs/metrics        writes <name>.md for every metric, README.md and punishes.csv

A page is the module's docstring (definition, symbols, direction, what degenerate input gives, papers), the function's
docstring and settings, and RANGE, BLIND_TO and COST. The table runs every metric that looks at codes on the worlds of
`metrics.cases`, with its default settings.
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
"""Shares of the way from perfect to the worst case, from which a case counts as punished in part, and as punished."""

_OF_CODES = {"codes", "mean", "targets", "factors", "peer_mean"}
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
    """The metrics of the table: those that look at codes."""
    return [
        name
        for name in metrics.names()
        if _OF_CODES & {*inspect.signature(metrics.function(name)).parameters}
    ]


def punishments(
    names: Iterable[str] | None = None, columns: Iterable[str] = COLUMNS
) -> dict[str, dict[str, float]]:
    """Key of a main value, or of a part -> case -> value; NaN where the metric refuses a case."""
    table: dict[str, dict[str, float]] = {}
    for name in judged() if names is None else names:
        about = metrics.describe(name)
        parameters = inspect.signature(metrics.function(name)).parameters
        rows: dict[str, dict[str, float]] = {key: {} for key in (about.main, *about.parts)}
        for case in columns:
            given = cases.world(case) | {"rng": np.random.default_rng(0)}
            try:
                found = metrics.function(name)(**{key: given[key] for key in parameters if key in given})
            except ValueError:
                found = {}
            for key, row in rows.items():
                row[case] = found.get(key, math.nan)
        table |= rows
    return table


def mark(row: Mapping[str, float], case: str, higher: bool | None) -> str:
    """ "●" where a case is punished, "◐" where in part, "" where not, or where perfect is hardly better than anything."""
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
    settings = {
        p.name: p.default
        for p in inspect.signature(function).parameters.values()
        if p.kind is p.KEYWORD_ONLY and p.name != "test"
    }
    arrays = [p for p in inspect.signature(function).parameters if p not in settings]
    call = ", ".join([*arrays[: arrays.index("test")], "test=None"] if "test" in arrays else arrays)
    parts = [
        f"# {title.rstrip('.')}",
        " · ".join(facts) + ("" if about.main == name else f" · main value `{about.main}`"),
        prose(rest),
        "## Call",
        f"```python\nfrom metrics.{about.folder}.{name} import {name}\n\n{name}({call})\n```",
        prose(inspect.getdoc(function) or ""),
    ]
    if settings:
        rows = "\n".join(f"| `{setting}` | `{_written(default)}` |" for setting, default in settings.items())
        parts.append(f"| setting | default |\n|---|---|\n{rows}")
    if about.standard_normal:
        parts += ["## What it presumes", PRIOR]
    parts += ["## What it is blind to", about.blind_to, "## Cost", about.cost]
    return "\n\n".join(part for part in parts if part) + "\n"


def index(table: Table) -> str:
    """The overview, Markdown: every metric by folder, and the table of punishments."""
    parts = [
        "# Metrics",
        "Arrays in, numbers out: `metrics.function(name)` or an import of the module. Pages are generated from the modules "
        "(`make docs`).",
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
        f"● at least {PUNISHED[1]:.0%} of the way from perfect to the worst case, ◐ at least {PUNISHED[0]:.0%}; – the metric "
        "refuses the case. No marks where neither end is better, or no case is worse than perfect.",
        header + "\n" + "\n".join(rows),
        legend,
    ]
    return "\n\n".join(parts) + "\n"


def _cell(row: Mapping[str, float], case: str, higher: bool | None) -> str:
    value = row[case]
    if math.isnan(value):
        return "–"
    shown = f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"
    return " ".join(part for part in (mark(row, case, higher), shown.replace("inf", "∞")) if part)


def prose(text: str) -> str:
    """A docstring's paragraphs as Markdown: formulas and aligned lists as they are, the rest flowing, arXiv numbers linked."""
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
    """What `write_table` wrote."""
    return {
        row["metric"]: {case: float(row[case]) for case in COLUMNS}
        for row in csv.DictReader(io.StringIO(text))
    }


def main(folder: Path) -> None:
    """Write all pages and the table into `folder`, and remove pages of metrics that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    # What is shown is what is kept, to the digit.
    table = read_table(write_table(punishments()))
    pages = {f"{name}.md": page(name) for name in metrics.names()}
    pages |= {"README.md": index(table), "punishes.csv": write_table(table)}
    for stale in {path.name for path in folder.glob("*.md")} - pages.keys():
        (folder / stale).unlink()
    for file, text in pages.items():
        (folder / file).write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""The page of a report: what each of its sections shows, filled into report.html.j2.

The page loads nothing: styles, scripts, figures and pictures are in it, and its content security policy has the browser
refuse whatever else it might ask for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import plotly.graph_objects as go
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from pipeline.reporting import cards
from pipeline.reporting.account import (
    documentation,
    metric_facts,
    mixed_precision,
    run_facts,
    times,
    troubles,
)
from pipeline.reporting.figures.capacity import capacity
from pipeline.reporting.figures.learning import learning
from pipeline.reporting.figures.rate_distortion import rate_distortion
from pipeline.reporting.figures.strength import BARS_FROM, against_strength
from pipeline.reporting.figures.style import DASHES, dashes, look
from pipeline.reporting.findings import JUDGED, best_values, contrasts, trends
from pipeline.reporting.gallery import data_uri, gallery
from pipeline.reporting.outcome import Study
from pipeline.reporting.summary import main_metrics, summarise
from pipeline.store.layout import Store
from pipeline.study import provenance
from pipeline.study.params import FILE
from pipeline.study.settings import BASELINE
from vaecore.families import reference

__all__ = ["render"]

HERE = Path(__file__).parent

CARDS = 8
PANELS = 5
"""Best values and metrics against strength that are in sight; the others unfold."""

LOOKS = {
    "samples": "Images drawn at random.",
    "factors": "A row per factor, which alone changes along it; without a full grid, a row per class or attribute.",
}
MANY = 12
"""Factors that are named one by one at the head of a section."""

GALLERY = (
    "Reconstructions: originals in the upper row of each strip. Traversals: a row per latent, those with the highest rate on top, moved "
    "from −2 to 2 while the others stay. A family is shown by its best setting (by mean MIG where there are factors, else by −ELBO, or by distortion where that is "
    "infinite), a setting by the seed whose value is nearest to the mean over seeds."
)


def render(study: Study, store: Store, curves: pd.DataFrame) -> str:
    """The whole page as HTML. ``curves`` are the learning curves of ``pipeline.reporting.figures.learning``."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["groupby_in_order"] = _groupby_in_order
    environment.filters["sortable"] = lambda value: (
        "" if math.isnan(value) else str(value).replace("inf", "Infinity")
    )
    figures: dict[str, Markup] = {}
    exhibits = gallery(study, store)
    parts = [
        _part(study, dataset, curves, figures) | {"exhibits": exhibits[dataset]} for dataset in study.settings
    ]
    scored = {metric.name: metric for dataset in study.settings for metric in main_metrics(study, dataset)}
    trouble = troubles(study)
    return environment.get_template("report.html.j2").render(
        study=study,
        sentence=_sentence(study),
        tiles=_tiles(study),
        parts=parts,
        troubles=trouble,
        figures=figures,
        pictures=GALLERY,
        looks=LOOKS,
        facts=run_facts(study, store),
        times=times(study),
        families={family: documentation("vaecore.families", family) for family in study.families},
        metric_texts={name: (*documentation("metrics", name), metric_facts(metric)) for name, metric in scored.items()},
        params_text=_text(store.root / FILE),
        commit=provenance.git_commit(store.root),
        colour=lambda family: look(study, family).colour,
        reference=reference(),
        mixed=mixed_precision(study),
        css=Markup(_text(HERE / "report.css")),
        script=Markup(_text(HERE / "report.js")),
        plotly=Markup(get_plotlyjs()),
    )  # fmt: skip


def _part(study: Study, dataset: str, curves: pd.DataFrame, figures: dict[str, Markup]) -> dict[str, Any]:
    """One data set's section; the figures it needs are added to ``figures`` under the names that it uses."""

    def add(what: str, figure: go.Figure | None) -> str | None:
        if figure is None:
            return None
        name = f"figure-{dataset}-{what}"
        # "<" would end the script element that holds the figure.
        figures[name] = Markup(figure.to_json().replace("<", "\\u003c"))
        return name

    table = summarise(study, dataset)
    strengths = []
    for metric in main_metrics(study, dataset):
        panels = against_strength(study, dataset, metric) if metric.folder in JUDGED else {}
        if panels:
            names = {family: add(f"{metric.name}-{family}", panel) for family, panel in panels.items()}
            strengths.append({"title": metric.title, "figures": names})
    held = {family: add(f"capacity-{family}", capacity(study, dataset, family)) for family in study.families}
    learned = {
        family: add(f"learning-{family}", learning(study, dataset, family, curves))
        for family in study.families
    }
    best = best_values(study, table)
    fewest = min((row.n for row in table.rows if row.n), default=0)
    return {
        "name": dataset,
        "about": _about(study, dataset),
        "table": table,
        "blocks": table.blocks(),
        "few": _few([row.n for row in table.rows if row.n]),
        "mixed": len({column.split for column in table.columns}) > 1,
        "where": _where({column.split for column in table.columns}),
        "best": (best[:CARDS], best[CARDS:]),
        "trends": trends(study, dataset),
        "contrasts": contrasts(study, dataset),
        "lines": _lines(dashes(study, dataset)),
        "plane": add("plane", rate_distortion(study, dataset)),
        "strengths": (strengths[:PANELS], strengths[PANELS:]),
        "bars": ", with their intervals" if fewest >= BARS_FROM else "",
        "capacities": {family: name for family, name in held.items() if name},
        "learning": {family: name for family, name in learned.items() if name},
        "title": study.ready[dataset].meta.get("title", dataset),
        "card": cards.facts(study.ready[dataset]),
        "looks": {what: data_uri(picture) for what, picture in cards.pictures(study.ready[dataset]).items()},
    }


def _lines(dashed: dict[str, str]) -> str:
    """Which line is of which model, where a study varies that."""
    if len(dashed) == 1:
        return ""
    listed = "; ".join(f"{DASHES[dash]}: {variant}" for variant, dash in dashed.items())
    return f" Lines of the models that were varied: {listed}."


def _few(counts: list[int]) -> str:
    """What the number of seeds means for the intervals."""
    most = max(counts, default=0)
    if most == 1:
        return "With one seed there is no interval."
    sentence = "With two seeds t is 12.7, so intervals are wide. " if most == 2 else ""
    return sentence + ("A setting with n = 1 has no interval." if 1 in counts else "")


def _where(splits: set[str]) -> str:
    if len(splits) != 1:
        return "Each heading names its images: all of them, those trained on, those held out."
    return {
        "test": "On images held out from training.",
        "all": "On all images, which are those trained on.",
        "train": "On the images trained on.",
    }.get(next(iter(splits)), "")


def _sentence(study: Study) -> str:
    settings = max(sum(setting.family != BASELINE for setting in own) for own in study.settings.values())
    seeds = len(study.params.seeds)
    lengths = {
        dataset: f"{study.params.training_of(dataset).steps:,} steps on {dataset}"
        for dataset in study.settings
    }
    baseline = ", and untrained ones to compare with" if study.params.untrained else ""
    return (
        f"{_count(len(study.families), 'family', 'families')} of autoencoders in {_count(settings, 'setting', 'settings')}, "
        f"{_count(seeds, 'seed', 'seeds')} each, trained for {_listed(list(lengths.values()))}{baseline}."
    )


def _tiles(study: Study) -> list[dict[str, Any]]:
    statuses = [study.status(trial) for trial in study.trials]
    total = len(statuses)
    tiles = [{"what": "trials finished", "value": f"{statuses.count('finished')} of {total}", "bad": False}]
    for status in ("diverged", "failed", "missing", "unscored"):
        count = statuses.count(status)
        if count or status in ("diverged", "failed"):
            tiles.append({"what": status, "value": str(count), "bad": count > 0})
    seconds = sum(result["seconds"] for result in study.results.values())
    tiles.append({"what": "training time, all trials", "value": _duration(seconds), "bad": False})
    return tiles


def _about(study: Study, dataset: str) -> str:
    ready = study.ready[dataset]
    channels, height, width = ready.shape
    parts = [
        f"{len(ready):,} images of {height}×{width} pixels"
        + (f" in {channels} channels" if channels > 1 else "")
    ]
    if ready.factors is not None:
        names, sizes = ready.meta["factor_names"], ready.meta["factor_sizes"]
        listed = ", ".join(f"{name} ({size})" for name, size in zip(names, sizes, strict=True))
        parts.append(f"factors {listed}" if len(names) <= MANY else f"{len(names)} factors")
    if ready.labels is not None:
        parts.append(f"{len(set(ready.labels.tolist()))} classes")
    if ready.test is not None:
        parts.append(f"{int(ready.test.sum()):,} held out from training and used for scores")
    return "; ".join(parts) + "."


def _groupby_in_order(items: Iterable[Any], attribute: str) -> list[tuple[str, list[Any]]]:
    """Runs of equal attributes; jinja's own ``groupby`` sorts."""
    return [
        (key, list(group)) for key, group in groupby(items, key=lambda item: str(getattr(item, attribute)))
    ]


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + f" and {words[-1]}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")

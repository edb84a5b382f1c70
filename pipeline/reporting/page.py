"""The report's HTML page: collects the content of each section and renders report.html.j2.

The page contains its styles, scripts, figures and pictures. Its content security policy makes the browser
refuse to load anything else.
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
from pipeline.store.layout import PARAMS_FILE, Store
from pipeline.study import provenance
from pipeline.study.settings import BASELINE
from pipeline.study.wording import duration
from vaecore.families import reference

__all__ = ["render"]

HERE = Path(__file__).parent

CARDS = 8
"""Best values that are visible at once; the others unfold."""
PANELS = 5
"""Metrics against strength that are visible at once; the others unfold."""

MANY = 12
"""The largest number of factors that are named at the head of a section."""

PLANE = (
    "Small marks are seeds. Large marks are means over seeds, joined from the weakest to the strongest "
    "setting. Along a dotted line −ELBO = rate + distortion is constant, in nats; lower left is better. "
    "Click a family in the legend to hide it."
)
GALLERY = (
    "Reconstructions: the originals are in the upper row of each strip. Traversals: each row moves one "
    "latent from −2 to 2 and keeps the others fixed; latents with the highest rate come first. A family is "
    "shown by its best setting: by mean MIG if the data set has factors, else by mean −ELBO, or by mean "
    "distortion if −ELBO is infinite. A setting is shown by the seed whose value is nearest to the mean over "
    "seeds."
)


def render(study: Study, store: Store, curves: pd.DataFrame) -> str:
    """The whole page as HTML; ``curves`` as returned by ``pipeline.reporting.figures.learning.curves``."""
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
        plane=PLANE,
        pictures=GALLERY,
        captions=cards.CAPTIONS,
        facts=run_facts(study, store),
        times=times(study),
        families={family: documentation("vaecore.families", family) for family in study.families},
        metric_texts={
            name: (*documentation("metrics", name), metric_facts(metric)) for name, metric in scored.items()
        },
        params_text=_text(store.root / PARAMS_FILE),
        commit=provenance.git_commit(store.root),
        colour=lambda family: look(study, family).colour,
        reference=reference(),
        mixed=mixed_precision(study),
        css=Markup(_text(HERE / "report.css")),
        script=Markup(_text(HERE / "report.js")),
        plotly=Markup(get_plotlyjs()),
    )  # fmt: skip


def _part(study: Study, dataset: str, curves: pd.DataFrame, figures: dict[str, Markup]) -> dict[str, Any]:
    """The content of one data set's section; its figures are added to ``figures`` by their names."""

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
    """The line style of each variant of the model; empty if the study does not vary the model."""
    if len(dashed) == 1:
        return ""
    listed = "; ".join(f"{DASHES[dash]}: {variant}" for variant, dash in dashed.items())
    return f" Line styles: {listed}."


def _few(counts: list[int]) -> str:
    """A remark on the intervals of settings with one or two seeds."""
    most = max(counts, default=0)
    if most == 1:
        return "With one seed there is no interval."
    sentence = "With two seeds t is 12.7, so intervals are wide. " if most == 2 else ""
    return sentence + ("A setting with n = 1 has no interval." if 1 in counts else "")


def _where(splits: set[str]) -> str:
    """The images on which the scores were computed."""
    if len(splits) != 1:
        return "Each heading names the images of its scores: all, training (train) or held-out (test) images."
    return {
        "test": "Scores are computed on images held out from training.",
        "all": "Scores are computed on all images, and all of them were used for training.",
        "train": "Scores are computed on the training images.",
    }.get(next(iter(splits)), "")


def _sentence(study: Study) -> str:
    settings = max(sum(setting.family != BASELINE for setting in own) for own in study.settings.values())
    seeds = len(study.params.seeds)
    lengths = {
        dataset: f"{study.params.training_of(dataset).steps:,} steps on {dataset}"
        for dataset in study.settings
    }
    baseline = " Untrained models are scored for comparison." if study.params.untrained else ""
    counts = [_count(len(study.families), "family", "families"), _count(settings, "setting", "settings")]
    return (
        f"{counts[0]} of autoencoders in {counts[1]}, {_count(seeds, 'seed', 'seeds')} each, "
        f"trained for {_listed(list(lengths.values()))}.{baseline}"
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
    tiles.append({"what": "training time, all trials", "value": duration(seconds), "bad": False})
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
    """(value, items) of successive items whose ``attribute`` is equal; jinja's own ``groupby`` sorts them."""
    return [
        (key, list(group)) for key, group in groupby(items, key=lambda item: str(getattr(item, attribute)))
    ]


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + f" and {words[-1]}"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")

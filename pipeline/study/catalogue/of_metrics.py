"""Entries of metrics."""

from __future__ import annotations

import importlib
import inspect

import metrics
from metrics.parameters import parameters
from metrics.vocabulary import Source, arrays_from
from pipeline.study.catalogue.entry import (
    Entry,
    OptionRow,
    citations,
    file_of,
    nested,
    title_and_text,
    written,
)

__all__ = ["describe"]

ANNOTATIONS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a word",
    "int | None": "a whole number or null",
    "float | None": "a number or null",
}
INTERVAL = (
    OptionRow("n_resamples", "Resamples, for an interval of each value.", "0", "a whole number ≥ 2, or 0"),
    OptionRow("confidence", "Confidence of that interval.", "0.95", "a number > 0 and < 1"),
)
"""Options of metrics that are not computed batch by batch (``metrics.uncertainty``)."""


def describe(name: str) -> Entry:
    """The entry of a metric."""
    about = metrics.describe(name)
    function, has = metrics.function(name), parameters(name)
    _, text = title_and_text(importlib.import_module(function.__module__))
    low, high = (f"{end:g}".replace("inf", "∞") for end in about.range)
    better = {True: "higher is better", False: "lower is better", None: "neither end is better"}
    facts = [
        ("group", about.folder),
        ("main value", f"{about.main}: {about.unit or 'pure number'}, {better[about.higher_is_better]}"),
        ("range", f"{low} to {high}"),
        ("arrays", ", ".join(has.arrays)),
        *([("presumes", "the prior N(0, I)")] if about.standard_normal else []),
        ("blind to", about.blind_to),
        ("cost", about.cost),
    ]
    rows = [
        OptionRow(key, "", written(each.default), ANNOTATIONS.get(str(each.annotation), "a list"))
        for key, each in has.settings.items()
    ]
    return Entry(
        kind="metrics",
        name=name,
        title=about.title,
        file=file_of(function.__module__),
        text=f"{text}\n\n{inspect.getdoc(function) or ''}",
        options=(*rows, *(INTERVAL if arrays_from(Source.BATCHES).isdisjoint(has.arrays) else ())),
        papers=citations(text),
        facts=tuple(facts),
        example=nested("evaluation", "metrics:", f"  {name}: {{}}"),
    )

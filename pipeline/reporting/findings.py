"""The findings of a report: best values, trends along a family's strength, and effects of the model's
settings.

A best value comes with its 95 % interval, with the number of other settings whose intervals overlap it, and
with the score of an untrained model. A trend gives the values at both ends of a family's grid. The effect of
a setting that the study varies is the mean difference over pairs of trials that differ in nothing else; the
two trials of a pair have the same seed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np

import metrics
from pipeline.reporting.outcome import Study
from pipeline.reporting.summary import Column, Estimate, Table, estimate, estimates, write_number
from pipeline.study.settings import BASELINE, Setting, strength_symbol
from pipeline.study.wording import short
from vaecore.families import family_class

__all__ = ["Best", "best_values", "contrasts", "trends"]

JUDGED = ("disentanglement", "representation")
"""The folders of metrics whose best values are reported, besides the negative ELBO."""


@dataclass(frozen=True)
class Best:
    """The best value of one metric on one data set."""

    dataset: str
    column: Column
    setting: Setting
    value: str
    interval: str
    n: int
    rivals: int | None
    """Number of other trained settings whose intervals overlap; None if the best value has no interval."""
    baseline: str
    """Mean of the untrained models; empty if there are none."""


def best_values(study: Study, table: Table) -> list[Best]:
    """The best value of the negative ELBO and of each metric of ``JUDGED`` that has a better end."""
    found = []
    for place, column in enumerate(table.columns):
        if column.higher_is_better is None:
            continue
        if column.metric != "negative_elbo" and column.folder not in JUDGED:
            continue
        values = estimates(study, table.dataset, column.metric)
        rows = [
            row
            for row in table.rows
            if row.setting.family != BASELINE and math.isfinite(row.cells[place].value)
        ]
        if not rows:
            continue
        sign = 1 if column.higher_is_better else -1
        best = max(rows, key=lambda row: sign * row.cells[place].value)
        cell = best.cells[place]
        others = [values[row.setting.name] for row in rows if row is not best]
        untrained = [
            setting.name
            for setting in study.settings[table.dataset]
            if setting.family == BASELINE and setting.variant == best.setting.variant
        ]
        baseline = values.get(untrained[0]) if untrained else None
        found.append(
            Best(
                dataset=table.dataset,
                column=column,
                setting=best.setting,
                value=cell.text,
                interval=cell.interval,
                n=values[best.setting.name].n,
                rivals=_rivals(values[best.setting.name], others),
                baseline="" if baseline is None else write_number(baseline.mean, column.decimals),
            )
        )
    return found


def _rivals(best: Estimate, others: list[Estimate]) -> int | None:
    if best.half_width is None:
        return None
    return sum(
        other.half_width is not None and abs(other.mean - best.mean) <= other.half_width + best.half_width
        for other in others
    )


def trends(study: Study, dataset: str) -> list[tuple[str, str]]:
    """(family, sentence): rate and distortion at the weakest and at the strongest setting of each family.

    If the study varies the model (its likelihood, its latents, ...), there is a sentence for each variant.
    """
    rate, distortion = estimates(study, dataset, "rate"), estimates(study, dataset, "distortion")
    sentences = []
    variants = dict.fromkeys(setting.variant for setting in study.settings[dataset])
    for family, variant in product(study.families, variants):
        settings = [
            setting for setting in _by_strength(study, dataset, family, rate) if setting.variant == variant
        ]
        if len(settings) < 2 or any(setting.name not in distortion for setting in settings):
            continue
        weak, strong = settings[0], settings[-1]
        name = strength_symbol(family)
        sentences.append(
            (
                family,
                (f"{variant}, " if variant else "") + f"{name} {weak.strength:g} → {strong.strength:g}: "
                f"rate {_from_to(rate, weak, strong)}, distortion {_from_to(distortion, weak, strong)} nats"
                + _capacity(family, settings, rate),
            )
        )
    return sentences


def contrasts(study: Study, dataset: str, metric: str = "negative_elbo") -> list[str]:
    """The effect on ``metric`` of each model setting that the study varies: a sentence per value but the
    first.

    The sentence compares the value with the setting's first value. Its interval is the 95 % Student-t
    interval over the pairs. Likelihoods are not compared: distortions under different σ are different
    quantities.
    """
    table = study.table(dataset)
    if metric not in table:
        return []
    about = metrics.describe(metric)
    scores = [
        (trial, float(table[metric].get((setting.name, trial.seed), math.nan)))
        for setting in study.settings[dataset]
        if setting.family != BASELINE
        for trial in setting.trials
    ]
    sentences = []
    for axis in study.params.model_of(dataset).varied:
        if axis == "likelihood":
            continue
        rest: dict[str, dict[str, float]] = {}
        for trial, value in scores:
            alike = {**trial.config(), axis: None, "code": None}
            rest.setdefault(json.dumps(alike, sort_keys=True), {})[short(getattr(trial, axis))] = value
        first, *others = dict.fromkeys(short(getattr(trial, axis)) for trial, _ in scores)
        for other in others:
            pairs = np.array(
                [[each.get(first, math.nan), each.get(other, math.nan)] for each in rest.values()]
            )
            pairs = pairs[np.isfinite(pairs).all(axis=1)]
            gaps = pairs[:, 1] - pairs[:, 0]
            if len(gaps):
                name = about.title.lower().replace("elbo", "ELBO")
                sentences.append(
                    f"{axis} {other} instead of {first}: {name} {_signed(estimate(gaps))} {about.unit}, "
                    f"the mean over {len(gaps)} pairs of trials that differ in nothing else; "
                    f"lower in {int((gaps < 0).sum())} of them"
                )
    return sentences


def _signed(change: Estimate) -> str:
    """A difference with its sign and interval, rounded to two digits of the interval."""
    half = change.half_width
    if not half:
        text = f"{change.mean:+.3g}" + ("" if half is None else " ± 0")
    else:
        decimals = max(0, 1 - math.floor(math.log10(half)))
        text = f"{change.mean:+.{decimals}f} ± {half:.{decimals}f}"
    return text.replace("-", "−")


def _capacity(family: str, settings: list[Setting], rate: Mapping[str, Estimate]) -> str:
    """How far the final rate is from the family's target C; empty if the family has no target."""
    if family_class(family).target is None:
        return ""
    gap, worst = max(
        ((abs(rate[setting.name].mean - setting.strength), setting) for setting in settings),
        key=lambda pair: pair[0],
    )
    where = f"{strength_symbol(family)} = {worst.strength:g}"
    return f"; the final rate is within {gap:.2g} nats of its target (farthest at {where})"


def _by_strength(study: Study, dataset: str, family: str, values: Mapping[str, Estimate]) -> list[Setting]:
    settings = [
        setting
        for setting in study.settings[dataset]
        if setting.family == family
        and math.isfinite(setting.strength)
        and setting.name in values
        and math.isfinite(values[setting.name].mean)
    ]
    return sorted(settings, key=lambda setting: setting.strength)


def _from_to(values: Mapping[str, Estimate], weak: Setting, strong: Setting) -> str:
    return f"{write_number(values[weak.name].mean)} → {write_number(values[strong.name].mean)}"

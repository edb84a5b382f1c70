"""What became of a study: its trials, how each ended, what each scored, read from the store.

Trials are grouped into settings: one (data set, family, hyper-parameters), over all its seeds. The baseline that was
never trained is a setting of its own, of the family "untrained". Only trials of the study as params.yaml now has it
count: what an earlier version of it left in the store is not looked at.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from pipeline.errors import UserError
from pipeline.identity import MODEL
from pipeline.params import Params
from pipeline.ready import Ready
from pipeline.store import Store
from pipeline.trial import Trial, expand, short
from vaecore.families import family_class
from vaecore.schedules import schedule

__all__ = ["BASELINE", "Setting", "Study", "read", "strength", "strength_axis", "strength_symbol"]

BASELINE = "untrained"
"""The family name of models that were initialised and never trained."""

SYMBOLS = {"latents": "L", "sigma": "σ"}
"""Of settings that are no family's options."""

SPLITS = ("test", "all", "train")
"""Where a metric was computed on several parts of the data, the first of these is what the report shows."""


@dataclass(frozen=True)
class Setting:
    """What the trials that differ only in their seed have in common."""

    dataset: str
    family: str
    """The family's name, or "untrained"."""
    name: str
    """Unique in its data set; as in logs and MLflow: ``beta_vae beta=4``."""
    label: str
    """What sets it apart from the family's other settings, with symbols: ``β = 4``; empty where it is the only one."""
    strength: float
    """Final value of the option that is the family's strength; NaN where it has none."""
    variant: str
    """What it has of the model's settings that the study varies: ``L = 4, σ = 0.1``; empty where it varies none. Distortions are
    compared within one: by another σ they are another quantity, and a line through several would join models of two kinds."""
    hyper: str
    """All hyper-parameters as JSON."""
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class Study:
    """A study and its outcome."""

    params: Params
    ready: Mapping[str, Ready]
    trials: Sequence[Trial]
    results: Mapping[str, Mapping[str, Any]]
    """Trial key -> its result, of those that ran to their end."""
    failures: Mapping[str, Mapping[str, Any]]
    """Trial key -> why its last attempt failed."""
    scores: pd.DataFrame
    """A row per (trial, split, metric) of the trials that finished: dataset, family, setting, seed, key, x, split, metric, value."""

    def status(self, trial: Trial) -> str:
        """ "finished", "diverged", "failed", "missing" (never ran to an end) or "unscored" (finished, no score)."""
        result = self.results.get(trial.key)
        if result is None:
            return "failed" if trial.key in self.failures else "missing"
        if result["status"] != "finished":
            return str(result["status"])
        return "finished" if trial.key in self._scored else "unscored"

    @cached_property
    def _scored(self) -> frozenset[str]:
        return frozenset(self.scores["key"])

    @cached_property
    def settings(self) -> dict[str, list[Setting]]:
        """Data set -> its settings, in the order of params.yaml; the baseline last."""
        return {
            dataset: group([trial for trial in self.trials if trial.dataset == dataset])
            for dataset in self.params.datasets
        }

    @property
    def families(self) -> list[str]:
        """In the order of params.yaml."""
        return list(self.params.families)

    def split(self, dataset: str, metric: str) -> str | None:
        """The part of the data that the report shows a metric on; None where the data set has no such score."""
        rows = self.scores[(self.scores["dataset"] == dataset) & (self.scores["metric"] == metric)]
        present = set(rows["split"])
        return next((split for split in (*SPLITS, *sorted(present)) if split in present), None)

    def table(self, dataset: str) -> pd.DataFrame:
        """A row per scored trial, indexed by (setting, seed), a column per metric, each on the split that is shown."""
        return self._tables[dataset]

    @cached_property
    def _tables(self) -> dict[str, pd.DataFrame]:
        return {dataset: self._pivot(dataset) for dataset in self.params.datasets}

    def _pivot(self, dataset: str) -> pd.DataFrame:
        rows = self.scores[self.scores["dataset"] == dataset]
        shown = {metric: self.split(dataset, metric) for metric in rows["metric"].unique()}
        rows = rows[rows["split"] == rows["metric"].map(shown)]
        index = ["setting", "seed"]
        return rows.pivot(index=index, columns="metric", values="value")  # noqa: PD010  pivot_table averages


def read(params: Params, store: Store) -> Study:
    """The study's outcome so far.

    Raises:
        UserError: no trial of it has a score.
    """
    ready = {dataset: store.read_ready(dataset) for dataset in params.datasets}
    trials = expand(params, ready)
    results, failures = {}, {}
    for trial in trials:
        result = store.result(trial.dataset, trial.key)
        failure = store.failure(trial.dataset, trial.key)
        if result is not None:
            results[trial.key] = result
        elif failure is not None:
            failures[trial.key] = failure
    finished = [trial for trial in trials if results.get(trial.key, {}).get("status") == "finished"]
    names = {
        trial.key: (setting.family, setting.name)
        for dataset in params.datasets
        for setting in group([trial for trial in trials if trial.dataset == dataset])
        for trial in setting.trials
    }
    tables = [table for dataset in params.datasets if (table := store.scores_table(dataset)) is not None]
    scores = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({"key": []})
    scores = scores[scores["key"].isin({trial.key for trial in finished})]
    if scores.empty:
        cure = "dvc repro evaluate" if finished else "dvc repro"
        raise UserError(
            f"no score of any of the {len(trials)} trials of study {params.study!r} in {store.root / 'scores'}; "
            f"{len(finished)} of them are trained. Run: {cure}"
        )
    scores = scores.assign(
        family=[names[key][0] for key in scores["key"]],
        setting=[names[key][1] for key in scores["key"]],
    )
    columns = ["dataset", "family", "setting", "seed", "key", "x", "split", "metric", "value"]
    return Study(params, ready, trials, results, failures, scores[columns].reset_index(drop=True))


def group(trials: Sequence[Trial]) -> list[Setting]:
    """One data set's trials as settings, in the order they come in."""
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        kind = BASELINE if trial.untrained else trial.family
        model = {name: getattr(trial, name) for name in (*MODEL, "latents")}
        groups.setdefault((kind, json.dumps([dict(trial.hyper), model], sort_keys=True)), []).append(trial)
    plain = {key: members[0].name.removesuffix(f" seed={members[0].seed}") for key, members in groups.items()}
    varying = {key: _varying(members[0]) for key, members in groups.items()}
    settings = []
    for key, members in groups.items():
        family, first = key[0], members[0]
        siblings = [values for (other, _), values in varying.items() if other == family]
        name = plain[key]
        if family == BASELINE:
            name = " ".join([BASELINE, *(f"{axis}={short(value)}" for axis, value in varying[key].items())])
        elif list(plain.values()).count(name) > 1:  # options that are written the same in short
            name = f"{name} {json.dumps(dict(first.hyper), sort_keys=True)}"
        settings.append(
            Setting(
                dataset=first.dataset,
                family=family,
                name=name,
                label=_label(first.family, varying[key], siblings),
                strength=float("nan") if family == BASELINE else strength(first),
                variant=", ".join(
                    f"{_symbol(first.family, axis)} = {short(value)}" for axis, value in _model(first).items()
                ),
                hyper=json.dumps(dict(first.hyper), sort_keys=True),
                trials=tuple(members),
            )
        )
    return settings


def noise_of(trial: Trial) -> Any:
    """σ of a Gaussian likelihood (a number or "learned"); the name of another."""
    likelihood = trial.likelihood
    return likelihood.get("sigma", likelihood["name"]) if isinstance(likelihood, Mapping) else likelihood


def _varying(trial: Trial) -> dict[str, Any]:
    """What may set a setting apart: the family's options, and what the study varies of the model; σ for a likelihood."""
    return ({} if trial.untrained else dict(trial.hyper)) | _model(trial)


def _model(trial: Trial) -> dict[str, Any]:
    axes = {axis: getattr(trial, axis) for axis in trial.varied if axis != "likelihood"}
    return axes | ({"sigma": noise_of(trial)} if "likelihood" in trial.varied else {})


def strength(trial: Trial) -> float:
    """The family's strength at the last step; NaN where it has none."""
    name = family_class(trial.family).strength
    return math.nan if name is None else float(schedule(trial.hyper[name])(trial.training.steps))


def strength_symbol(family: str) -> str:
    """β, γ, C: of a family that has a strength."""
    name = family_class(family).strength
    assert name is not None
    return _symbol(family, name)


def strength_axis(family: str) -> str:
    """What a figure writes along the axis of a family's strength: "β", "C, nats"."""
    unit = family_class(family).options[str(family_class(family).strength)].unit
    return f"{strength_symbol(family)}, {unit}" if unit else strength_symbol(family)


def _symbol(family: str, setting: str) -> str:
    """β for beta, and so on; the name itself where the papers have no symbol."""
    if setting in MODEL:
        return setting
    option = family_class(family).options.get(setting)
    return (option.symbol if option else SYMBOLS.get(setting, "")) or setting.replace("_", " ")


def _label(family: str, own: Mapping[str, Any], siblings: Sequence[Mapping[str, Any]]) -> str:
    """What differs between the settings of a family; where there is one setting, its strength."""
    varied = [name for name in own if any(other[name] != own[name] for other in siblings)]
    first = family_class(family).strength
    shown = varied or [name for name in own if name == first]
    for write in (_short, _long):
        labels = [
            ", ".join(f"{_symbol(family, name)} = {write(other[name])}" for name in shown)
            for other in siblings
        ]
        if len(set(labels)) == len(labels):
            break
    return ", ".join(f"{_symbol(family, name)} = {write(own[name])}" for name in shown)


def _short(value: Any) -> str:
    if isinstance(value, Mapping) and "schedule" in value:
        ends = "→".join(f"{value[end]:g}" for end in ("from", "to") if end in value)
        return ends or f"{value['schedule']}"
    return short(value)


def _long(value: Any) -> str:
    if isinstance(value, Mapping) and "schedule" in value:
        rest = ", ".join(
            f"{key} {inner}" for key, inner in value.items() if key not in ("schedule", "from", "to")
        )
        return f"{value['schedule']} {_short(value)} ({rest})"
    return _short(value)

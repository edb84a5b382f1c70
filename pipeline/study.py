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
from pipeline.params import Params
from pipeline.store import Ready, Store
from pipeline.trial import Trial, expand
from vaecore.families import family_class
from vaecore.schedules import schedule

__all__ = ["BASELINE", "Setting", "Study", "read", "strength", "symbol"]

BASELINE = "untrained"
"""The family name of models that were initialised and never trained."""

SPLITS = ("test", "all", "train")
"""Where a metric was computed on several parts of the data, the first of these is what the report shows."""

SYMBOLS = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "lambda": "λ",
    "capacity": "C",
    "critic_learning_rate": "critic's α",
    "sigma": "σ",
}


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
    """Final value of the family's first hyper-parameter; NaN where it has none."""
    noise: str
    """σ of its likelihood, in a study of several likelihoods; empty where there is one."""
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
    groups: dict[tuple[str, str, str], list[Trial]] = {}
    for trial in trials:
        kind = BASELINE if trial.untrained else trial.family
        hyper, likelihood = (
            json.dumps(each, sort_keys=True) for each in (dict(trial.hyper), trial.likelihood)
        )
        groups.setdefault((kind, hyper, likelihood), []).append(trial)
    several = len({likelihood for _, _, likelihood in groups}) > 1
    plain = {key: members[0].name.removesuffix(f" seed={members[0].seed}") for key, members in groups.items()}
    varying = {key: _varying(members[0], several) for key, members in groups.items()}
    settings = []
    for key, members in groups.items():
        family, hyper, likelihood = key
        siblings = [values for (other, *_), values in varying.items() if other == family]
        name = plain[key]
        if family == BASELINE:
            name = f"{BASELINE} {noise_of(members[0])}" if several else BASELINE
        elif list(plain.values()).count(name) > 1:
            name = f"{family} {hyper}" + (f" {likelihood}" if several else "")
        settings.append(
            Setting(
                dataset=members[0].dataset,
                family=family,
                name=name,
                label="" if family == BASELINE and not several else _label(varying[key], siblings),
                strength=float("nan") if family == BASELINE else strength(members[0]),
                noise=_short(noise_of(members[0])) if several else "",
                hyper=hyper,
                trials=tuple(members),
            )
        )
    return settings


def noise_of(trial: Trial) -> Any:
    """σ of a Gaussian likelihood (a number or "learned"); the name of another."""
    likelihood = trial.likelihood
    return likelihood.get("sigma", likelihood["name"]) if isinstance(likelihood, Mapping) else likelihood


def _varying(trial: Trial, several: bool) -> dict[str, Any]:
    """What may set a setting apart: the hyper-parameters, and σ in a study of several likelihoods."""
    hyper = {} if trial.untrained else dict(trial.hyper)
    return hyper | ({"sigma": noise_of(trial)} if several else {})


def strength(trial: Trial) -> float:
    """The family's first hyper-parameter at the last step; NaN where it has none, or where that is a word."""
    first = next(iter(family_class(trial.family).hyperparameters), None)
    if first is None or isinstance(trial.hyper[first], str):
        return math.nan
    return float(schedule(trial.hyper[first])(trial.training.steps))


def symbol(hyperparameter: str) -> str:
    """β for beta, and so on; the name itself where the papers have no symbol."""
    return SYMBOLS.get(hyperparameter, hyperparameter.replace("_", " "))


def _label(hyper: Mapping[str, Any], siblings: Sequence[Mapping[str, Any]]) -> str:
    """The hyper-parameters that differ between the settings of a family; where there is one setting, the first."""
    varied = [name for name in hyper if any(other[name] != hyper[name] for other in siblings)]
    shown = varied or list(hyper)[:1]
    for write in (_short, _long):
        labels = [", ".join(f"{symbol(name)} = {write(other[name])}" for name in shown) for other in siblings]
        if len(set(labels)) == len(labels):
            break
    return ", ".join(f"{symbol(name)} = {write(hyper[name])}" for name in shown)


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        ends = "→".join(f"{value[end]:g}" for end in ("from", "to") if end in value)
        return ends or f"{value['schedule']}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _long(value: Any) -> str:
    if isinstance(value, Mapping):
        rest = ", ".join(
            f"{key} {inner}" for key, inner in value.items() if key not in ("schedule", "from", "to")
        )
        return f"{value['schedule']} {_short(value)} ({rest})"
    return _short(value)

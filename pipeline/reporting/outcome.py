"""The outcome of a study, read from the store: its trials, how each one ended, and their scores.

Only trials of the current params.yaml count. Trials that an earlier params.yaml left in the store are
ignored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from pipeline.errors import UserError
from pipeline.store.layout import Store
from pipeline.store.ready import Ready
from pipeline.study.expansion import expand
from pipeline.study.params import Params
from pipeline.study.settings import Setting, group
from pipeline.study.trial import Trial

__all__ = ["Study", "read"]

SPLITS = ("test", "all", "train")
"""Parts of the data. If a metric was computed on several, the report shows the first of these."""


@dataclass(frozen=True)
class Study:
    """A study and its outcome."""

    params: Params
    ready: Mapping[str, Ready]
    trials: Sequence[Trial]
    results: Mapping[str, Mapping[str, Any]]
    """Trial key -> its result, for trials that ran to their end."""
    failures: Mapping[str, Mapping[str, Any]]
    """Trial key -> why its last attempt failed."""
    scores: pd.DataFrame
    """A row per (finished trial, split, metric).

    Columns: dataset, family, setting, seed, key, x, split, metric, value.
    """

    def status(self, trial: Trial) -> str:
        """The trial's status: "finished", "diverged", "failed", "missing" or "unscored".

        A missing trial has neither a result nor a failure. An unscored trial finished, but has no score.
        """
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
        """The study's families, in the order of params.yaml."""
        return list(self.params.families)

    def split(self, dataset: str, metric: str) -> str | None:
        """The part of the data whose scores of ``metric`` the report shows; None if it has no scores."""
        rows = self.scores[(self.scores["dataset"] == dataset) & (self.scores["metric"] == metric)]
        present = set(rows["split"])
        return next((split for split in (*SPLITS, *sorted(present)) if split in present), None)

    def table(self, dataset: str) -> pd.DataFrame:
        """The scores on the split that is shown: a row per (setting, seed), a column per metric."""
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
        UserError: no trial of the study has a score.
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
            f"none of the {len(trials)} trials of study {params.study!r} has a score in "
            f"{store.root / 'scores'}; {len(finished)} of them are trained. Run: {cure}"
        )
    scores = scores.assign(
        family=[names[key][0] for key in scores["key"]],
        setting=[names[key][1] for key in scores["key"]],
    )
    columns = ["dataset", "family", "setting", "seed", "key", "x", "split", "metric", "value"]
    return Study(params, ready, trials, results, failures, scores[columns].reset_index(drop=True))

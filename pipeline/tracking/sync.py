"""Bring the MLflow runs of a study up to date with its files, at the end of a stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.store.layout import Store
from pipeline.study.trial import Trial
from pipeline.tracking.tracker import Tracker

__all__ = ["sync_runs", "sync_scores"]


def sync_runs(tracker: Tracker, trials: Sequence[Trial], store: Store) -> None:
    """Log what is not logged yet, mark interrupted trials, and close all runs. No trial may be training."""
    for trial in trials:
        result = store.result(trial.dataset, trial.key)
        failure = store.failure(trial.dataset, trial.key)
        if result is not None:
            if not tracker.has_result(trial, result):
                tracker.finish_trial(trial, result, store.history(trial.dataset, trial.key))
        elif failure is not None:
            tracker.fail_trial(trial, failure["reason"])
        else:
            tracker.stop_trial(trial)
    for dataset in dict.fromkeys(trial.dataset for trial in trials):
        tracker.finish_dataset(dataset)


def sync_scores(
    tracker: Tracker,
    scores: Mapping[str, Mapping[str, Mapping[str, Any]]],
    trials: Sequence[Trial],
    store: Store,
) -> None:
    """Log the scores and pictures of finished trials that are not logged yet.

    Args:
        scores: trial key -> metric -> {"values": {name: value}, ...}.
    """
    for trial in trials:
        entries = scores[trial.key].values()
        values = {name: value for entry in entries for name, value in entry["values"].items()}
        if values:
            tracker.log_scores(trial, values, store.pictures(trial.dataset, trial.key))

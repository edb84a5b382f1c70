"""Record trials in MLflow: one experiment per study, a parent run per data set, a child run per trial.

A run is found by its ``trial_key`` tag. The tags ``logged_result`` and ``logged_scores`` are digests of the
run's content and are set last. So a run with these tags is complete, and logging the same content twice does
nothing. If a trial was trained again, or logging was interrupted, the old run goes to MLflow's trash and a
new one replaces it.

Only one process writes: the driver of a stage. ``pipeline.tracking.run_record`` defines the content of a run.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.errors import UserError
from pipeline.store.layout import Store
from pipeline.store.ready import Ready
from pipeline.study import provenance
from pipeline.study.model import load_model
from pipeline.study.trial import Trial
from pipeline.tracking import run_record
from pipeline.tracking.experiment import Experiment
from pipeline.tracking.mlflow_model import log_model
from pipeline.tracking.mlflow_run import MlflowRun

__all__ = ["Tracker"]


class Tracker:
    """The runs of one study in one MLflow store. Open it with :meth:`open`.

    Each method that writes raises a UserError if the store fails.
    """

    def __init__(self, experiment: Experiment, store: Store) -> None:
        self.experiment = experiment
        self._store = store
        self._origin = {
            "commit": provenance.git_commit(store.root),
            "lock": provenance.lock_digest(store.root),
        }
        self._ready: dict[str, Ready] = {}
        self._trials: dict[str, MlflowRun] = {}  # by key
        self._datasets: dict[str, MlflowRun] = {}  # by name
        for run in experiment.runs():
            if "trial_key" in run.tags:
                self._trials.setdefault(run.tags["trial_key"], run)
            elif "betabench.dataset" in run.tags:
                self._datasets.setdefault(run.tags["betabench.dataset"], run)

    @classmethod
    def open(cls, uri: str, study: str, root: Path) -> Tracker:
        """Open or create the study's experiment in the store at ``uri``, and read its runs.

        Raises:
            UserError: as :meth:`pipeline.tracking.experiment.Experiment.open`.
        """
        experiment = Experiment.open(uri, study, root)
        with experiment.errors():
            return cls(experiment, Store(root))

    def start_trial(self, trial: Trial) -> None:
        """Record that the trial has started to train."""
        with self.experiment.errors():
            self._start(trial, _now())

    def has_result(self, trial: Trial, result: Mapping[str, Any]) -> bool:
        """Whether the trial's run holds this very result."""
        run = self._trials.get(trial.key)
        return run is not None and run.tags.get("logged_result") == run_record.digest(dict(result))

    def finish_trial(self, trial: Trial, result: Mapping[str, Any], history: pd.DataFrame) -> None:
        """Log a result: parameters, curves, model. Do nothing if the run holds it already."""
        if self.has_result(trial, result):
            return
        finished = result["status"] == "finished"
        with self.experiment.errors():
            began, ended = run_record.span(result)
            run = self._start(trial, began)
            points, missing = run_record.training_points(history, result)
            run.log_metrics(points)
            folder = self._store.run(trial.dataset, trial.key)
            run.log_files([folder / "config.json", folder / "model.safetensors"], "trial")
            if finished:
                self._log_model(run, trial)
            run.close("FINISHED" if finished else "FAILED", run_record.result_tags(result, missing), ended)

    def fail_trial(self, trial: Trial, reason: str) -> None:
        """Record that the trial has ended without a result. Do nothing if the run says so already."""
        run = self._trials.get(trial.key)
        tags = {"status": "failed", "failure": reason[: run_record.LONGEST_TAG]}
        if run is not None and run.status == "FAILED" and tags.items() <= run.tags.items():
            return
        with self.experiment.errors():
            self._start(trial, _now()).close("FAILED", tags)

    def stop_trial(self, trial: Trial) -> None:
        """Record that the trial was interrupted, if its run has the status RUNNING."""
        run = self._trials.get(trial.key)
        if run is not None and run.status == "RUNNING":
            with self.experiment.errors():
                run.close("KILLED", {"status": "interrupted"})

    def log_scores(self, trial: Trial, values: Mapping[str, float], pictures: Sequence[Path] = ()) -> None:
        """Log the scores of a trial whose result is logged. Do nothing if the run holds them already."""
        logged = run_record.scores_digest(values, pictures)
        run = self._trials.get(trial.key)
        if run is None or "logged_result" not in run.tags:
            raise ValueError(f"{trial.dataset} {trial.name}: log the result before the scores")
        if run.tags.get("logged_scores") == logged:
            return
        points, missing = run_record.score_points(values, _now(), trial.training.steps)
        tags = {"logged_scores": logged}
        if missing or "scores_not_finite" in run.tags:
            tags["scores_not_finite"] = ", ".join(missing)
        with self.experiment.errors():
            run.log_metrics([point for point in points if run.metrics.get(point.name) != point.value])
            run.log_files(pictures, "figures")
            run.tag(tags)

    def finish_dataset(self, dataset: str) -> None:
        """Record that no trial of a data set is being trained."""
        with self.experiment.errors():
            run = self._dataset_run(dataset)
            if run.status != "FINISHED":
                run.close("FINISHED", {})

    def _start(self, trial: Trial, began: int) -> MlflowRun:
        """The trial's run, RUNNING and without metrics: a new one, or one that was only started."""
        parent = self._dataset_run(trial.dataset)
        run = self._trials.get(trial.key)
        if run is not None and (run.metrics or "logged_result" in run.tags or not run.has_params):
            run.delete()
            del self._trials[trial.key]
            run = None
        if run is None:
            tags = {"mlflow.parentRunId": parent.run_id, "status": "running"}
            tags |= run_record.tags(trial, **self._origin)
            run = self._trials[trial.key] = self.experiment.create_run(trial.name, tags, began)
            run.log_params(run_record.params(trial))
            run.log_dataset(self._data(trial.dataset), "training")
        elif run.status != "RUNNING":
            run.reopen()
            run.tag({"status": "running"})
        parent.reopen()
        return run

    def _dataset_run(self, dataset: str) -> MlflowRun:
        """The parent of the runs of a data set's trials, with tags that describe the data."""
        ready = self._data(dataset)
        tags = run_record.dataset_tags(ready.meta)
        run = self._datasets.get(dataset)
        if run is None:
            run = self.experiment.create_run(dataset, {"betabench.dataset": dataset, **tags})
            self._datasets[dataset] = run
            run.log_dataset(ready, "study")
        elif not tags.items() <= run.tags.items():
            run.tag(tags)
            run.log_dataset(ready, "study")
        return run

    def _log_model(self, run: MlflowRun, trial: Trial) -> None:
        try:
            family = load_model(trial, self._data(trial.dataset), self._store)
        except UserError as error:  # the file is damaged: evaluation reports it; other runs can be logged
            run.tag({"model_missing": str(error)[: run_record.LONGEST_TAG]})
        else:
            log_model(run.run_id, family)

    def _data(self, dataset: str) -> Ready:
        if dataset not in self._ready:
            self._ready[dataset] = self._store.read_ready(dataset)
        return self._ready[dataset]


def _now() -> int:
    """Milliseconds since 1970."""
    return int(time.time() * 1000)

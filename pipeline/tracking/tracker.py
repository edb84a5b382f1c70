"""MLflow: one experiment per study, a parent run per data set, a child run per trial; the only importer of mlflow.

A run is found again by its ``trial_key`` tag, and its ``logged_result`` and ``logged_scores`` tags are digests of what
it holds: they are set last, so a run with them is complete, and logging the same twice does nothing. Where a trial was
trained anew, or logging was cut off half-way, the old run goes to MLflow's trash and a new one takes its place.

One process writes: the driver of a stage. What a run holds is in ``pipeline.tracking.run_record``, where it goes in
``pipeline.tracking.address``; what is left is long, so that one file knows MLflow.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

# Before MLflow is imported: nobody's usage is counted, no progress bar or line for every file and
# run, no minutes of retries.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")

import mlflow
import requests
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from pipeline.errors import UserError
from pipeline.store.layout import Store
from pipeline.store.ready import Ready
from pipeline.study import provenance
from pipeline.study.model import load_model
from pipeline.study.trial import Trial
from pipeline.tracking import address, run_record

__all__ = ["Tracker", "log_scores"]

BATCH = 1000
"""Metrics per request: the most that MLflow takes."""
PAGE = 1000
"""Runs per answer of a search."""
KIND = {"mlflow.experimentKind": "custom_model_development"}
"""MLflow's UI then opens on training runs, and not on the traces of language models."""


@dataclass
class Known:
    """A run as this process knows it."""

    run_id: str
    status: str
    tags: dict[str, str]
    metrics: dict[str, float] = field(default_factory=dict)
    """The last values."""
    described: bool = True
    """It has its parameters."""

    @classmethod
    def of(cls, run: Run) -> Known:
        return cls(
            run.info.run_id,
            run.info.status,
            dict(run.data.tags),
            dict(run.data.metrics),
            bool(run.data.params),
        )

    @property
    def empty(self) -> bool:
        """Whether it was started, and no more: neither cut off in the middle nor complete."""
        return self.described and not self.metrics and "logged_result" not in self.tags


class Tracker:
    """The runs of one study in one MLflow store. Open it with :meth:`open`."""

    def __init__(self, client: MlflowClient, uri: str, experiment: str, store: Store) -> None:
        self._client = client
        self._uri = uri
        self._experiment = experiment
        self._store = store
        self._origin = {
            "commit": provenance.git_commit(store.root),
            "lock": provenance.lock_digest(store.root),
        }
        self._ready: dict[str, Ready] = {}
        self._trials: dict[str, Known] = {}
        self._parents: dict[str, Known] = {}
        self._read()

    @classmethod
    def open(cls, uri: str, study: str, root: Path) -> Tracker:
        """The study's experiment in the store at ``uri``, made where there is none; its runs, in one search.

        Raises:
            UserError: no such kind of store, a file that cannot be written, a server that does not answer within
                seconds, or an experiment that was deleted.
        """
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        resolved = address.resolve(uri, root)
        with _answers(resolved), address.impatient():
            address.check(resolved)
            mlflow.set_tracking_uri(resolved)
            client = MlflowClient(resolved)
            found = client.get_experiment_by_name(study)
            if found is None:
                remote = resolved.startswith(("http", "databricks"))
                # A server has a place of its own for files; a database has none, and MLflow's default depends on
                # the folder that one happens to be in.
                location = None if remote else (root / "mlartifacts").absolute().as_uri()
                experiment = client.create_experiment(study, artifact_location=location, tags=KIND)
            elif found.lifecycle_stage == "deleted":
                raise UserError(
                    f"{address.KEY}: the experiment {study!r} was deleted from "
                    f"{address.readable(resolved)}. Restore it (mlflow experiments restore "
                    f"--experiment-id {found.experiment_id}), or give the study another name (params.yaml: study)."
                )
            else:
                experiment = found.experiment_id
            mlflow.set_experiment(experiment_id=experiment)  # mlflow.models has no other way to know
        with _answers(resolved):
            return cls(client, resolved, experiment, Store(root))

    def _read(self) -> None:
        token = None
        while True:
            page = self._client.search_runs([self._experiment], max_results=PAGE, page_token=token)
            for run in page:
                known = Known.of(run)
                if "trial_key" in known.tags:
                    self._trials.setdefault(known.tags["trial_key"], known)
                elif "betabench.dataset" in known.tags:
                    self._parents.setdefault(known.tags["betabench.dataset"], known)
            token = page.token
            if not token:
                return

    # --- what the stages say ----------------------------------------------------------------------------------------

    def start_trial(self, trial: Trial) -> None:
        """The trial is being trained now."""
        with _answers(self._uri):
            self._start(trial, int(time.time() * 1000))

    def finish_trial(self, trial: Trial, result: Mapping[str, Any], history: pd.DataFrame) -> None:
        """Log a result: parameters, curves, model. Does nothing where the run holds this very result."""
        logged = run_record.digest(dict(result))
        with _answers(self._uri):
            known = self._trials.get(trial.key)
            if known is not None and known.tags.get("logged_result") == logged:
                return
            began, ended = run_record.span(result)
            run = self._start(trial, began)
            finished = result["status"] == "finished"
            points, missing = run_record.curves(history)
            self._curves(run, points, result, began, ended)
            self._files(run, trial)
            if finished:
                self._model(run, trial)
            tags = {"status": str(result["status"]), "logged_result": logged}
            if missing:
                tags["training_not_finite"] = ", ".join(missing)
            if result.get("commit"):
                tags["mlflow.source.git.commit"] = result["commit"]
            if result.get("diverged_at") is not None:
                tags["diverged_at"] = str(result["diverged_at"])
            self._close(run, "FINISHED" if finished else "FAILED", tags, ended)

    def fail_trial(self, trial: Trial, reason: str) -> None:
        """The trial ended without a result."""
        with _answers(self._uri):
            known = self._trials.get(trial.key)
            tags = {"status": "failed", "failure": reason[: run_record.LONGEST_TAG]}
            if known is not None and known.status == "FAILED" and tags.items() <= known.tags.items():
                return
            self._close(self._start(trial, int(time.time() * 1000)), "FAILED", tags)

    def log_scores(self, trial: Trial, values: Mapping[str, float], pictures: Sequence[Path] = ()) -> None:
        """Log what evaluation found of a trial whose result is logged. Does nothing where the run holds just that."""
        logged = run_record.scores_digest(values, pictures)
        with _answers(self._uri):
            run = self._trials.get(trial.key)
            if run is None or "logged_result" not in run.tags:
                raise ValueError(f"{trial.dataset} {trial.name}: log the result before the scores")
            if run.tags.get("logged_scores") == logged:
                return
            kept, missing = run_record.finite(values)
            step, now = trial.training.steps, int(time.time() * 1000)
            changed = {name: value for name, value in kept.items() if run.metrics.get(name) != value}
            self._metrics(run, [Metric(name, value, now, step) for name, value in changed.items()])
            for picture in pictures:
                self._client.log_artifact(run.run_id, str(picture), "figures")
            tags = {"logged_scores": logged}
            if missing or "scores_not_finite" in run.tags:
                tags["scores_not_finite"] = ", ".join(missing)
            self._tag(run, tags)

    def sync(self, trials: Sequence[Trial], store: Store) -> None:
        """Bring every run up to what the run folders hold, now that nothing is trained; close the parents."""
        for trial in trials:
            result = store.result(trial.dataset, trial.key)
            if result is not None:
                known = self._trials.get(trial.key)
                if known is None or known.tags.get("logged_result") != run_record.digest(dict(result)):
                    self.finish_trial(trial, result, store.history(trial.dataset, trial.key))
            elif (failure := store.failure(trial.dataset, trial.key)) is not None:
                self.fail_trial(trial, failure["reason"])
            elif (known := self._trials.get(trial.key)) is not None and known.status == "RUNNING":
                with _answers(self._uri):
                    self._close(known, "KILLED", {"status": "interrupted"})
        with _answers(self._uri):
            for dataset in dict.fromkeys(trial.dataset for trial in trials):
                parent = self._parent(dataset)
                if parent.status != "FINISHED":
                    self._client.set_terminated(parent.run_id, "FINISHED")
                    parent.status = "FINISHED"

    # --- one run ----------------------------------------------------------------------------------------------------

    def _start(self, trial: Trial, began: int) -> Known:
        """The trial's run, empty and running."""
        known = self._trials.get(trial.key)
        if known is not None and not known.empty:
            self._client.delete_run(known.run_id)
            del self._trials[trial.key]
            known = None
        if known is None:
            parent = self._parent(trial.dataset)
            run = self._client.create_run(
                self._experiment,
                start_time=began,
                run_name=trial.name,
                tags={
                    "mlflow.parentRunId": parent.run_id,
                    "status": "running",
                    **run_record.tags(trial, **self._origin),
                },
            )
            known = self._trials[trial.key] = Known(run.info.run_id, "RUNNING", dict(run.data.tags))
            params = [Param(name, value) for name, value in run_record.params(trial).items()]
            for batch in run_record.batches(params, 100):
                self._client.log_batch(known.run_id, params=batch)
            self._input(known, self._data(trial.dataset), "training")
        elif known.status != "RUNNING":
            self._client.update_run(known.run_id, status="RUNNING")
            known.status = "RUNNING"
            self._tag(known, {"status": "running"})
        if self._parent(trial.dataset).status != "RUNNING":
            self._client.update_run(self._parent(trial.dataset).run_id, status="RUNNING")
            self._parent(trial.dataset).status = "RUNNING"
        return known

    def _parent(self, dataset: str) -> Known:
        """The data set's run, which its trials' runs are below; tagged with what the data are."""
        ready = self._data(dataset)
        tags = run_record.dataset_tags(ready.meta)
        known = self._parents.get(dataset)
        if known is None:
            run = self._client.create_run(
                self._experiment, run_name=dataset, tags={"betabench.dataset": dataset, **tags}
            )
            known = self._parents[dataset] = Known(run.info.run_id, "RUNNING", dict(run.data.tags))
            self._input(known, ready, "study")
        elif not tags.items() <= known.tags.items():
            self._tag(known, tags)
            self._input(known, ready, "study")
        return known

    def _input(self, run: Known, ready: Ready, context: str) -> None:
        meta = ready.meta
        source = str(meta.get("url") or meta.get("source") or ready.name)
        dataset = Dataset(
            name=ready.name, digest=meta["checksum"][:36], source_type="betabench", source=source[:1000]
        )
        self._client.log_inputs(
            run.run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", context)])]
        )

    def _curves(
        self,
        run: Known,
        points: list[tuple[str, float, int]],
        result: Mapping[str, Any],
        began: int,
        ended: int,
    ) -> None:
        steps = max(1, result["steps"])
        metrics = [
            Metric(name, value, began + (ended - began) * step // steps, step) for name, value, step in points
        ]
        for name in ("seconds", "images_per_second"):
            if result.get(name) is not None:
                metrics.append(Metric(f"cost/{name}", float(result[name]), ended, result["steps"]))
        self._metrics(run, metrics)

    def _metrics(self, run: Known, metrics: Sequence[Metric]) -> None:
        for batch in run_record.batches(metrics, BATCH):
            self._client.log_batch(run.run_id, metrics=batch)
        run.metrics.update({metric.key: metric.value for metric in metrics})

    def _files(self, run: Known, trial: Trial) -> None:
        folder = self._store.run(trial.dataset, trial.key)
        for name in ("config.json", "model.safetensors"):
            self._client.log_artifact(run.run_id, str(folder / name), "trial")

    def _model(self, run: Known, trial: Trial) -> None:
        """The model, such that ``mlflow.pytorch.load_model`` works where this repository is not.

        It carries the source of ``vaecore``, and names its requirements: finding them out would start a process.
        """
        import mlflow.pytorch
        from mlflow.models import Model

        try:
            family = load_model(trial, self._data(trial.dataset), self._store)
        except UserError as error:  # evaluation says so too, and how to cure it; the other runs are logged
            self._tag(run, {"model_missing": str(error)[: run_record.LONGEST_TAG]})
            return
        Model.log(
            artifact_path=None,
            name="model",
            flavor=mlflow.pytorch,
            run_id=run.run_id,
            pytorch_model=family,
            serialization_format="pickle",
            pip_requirements=[f"{name}=={version(name)}" for name in ("torch", "numpy")],
            code_paths=[str(_source("vaecore"))],
        )

    def _close(self, run: Known, status: str, tags: Mapping[str, str], ended: int | None = None) -> None:
        if status == "FINISHED" and run.tags.pop("failure", None) is not None:
            self._client.delete_tag(run.run_id, "failure")
        self._tag(run, tags)
        self._client.set_terminated(run.run_id, status, ended)
        run.status = status

    def _tag(self, run: Known, tags: Mapping[str, str]) -> None:
        self._client.log_batch(run.run_id, tags=[RunTag(name, value) for name, value in tags.items()])
        run.tags.update(tags)

    def _data(self, dataset: str) -> Ready:
        if dataset not in self._ready:
            self._ready[dataset] = self._store.read_ready(dataset)
        return self._ready[dataset]


@cache
def _source(package: str) -> Path:
    """A package's folder without compiled files: what travels with a model."""
    spec = importlib.util.find_spec(package)
    return Path(str(spec and spec.origin)).parent


@contextmanager
def _answers(uri: str) -> Iterator[None]:
    """What MLflow says when its store fails, as something the user can cure."""
    try:
        yield
    except (MlflowException, requests.RequestException, OSError) as error:
        found = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        raise UserError(
            f"{address.KEY}: the MLflow store {address.readable(uri)} failed: "
            f"{address.readable(found)} See that it runs and can be written, or name another. "
            "Nothing that was trained is lost; `dvc repro` logs what is missing."
        ) from error


def log_scores(
    scores: Mapping[str, Mapping[str, Mapping[str, Any]]],
    trials: Sequence[Trial],
    store: Store,
    tracker: Tracker,
) -> None:
    """Bring the trials' runs up to their scores: trial key -> metric -> entry, as ``pipeline.scoring.score_cache.kept`` gives."""
    for trial in trials:
        values = {
            name: value for entry in scores[trial.key].values() for name, value in entry["values"].items()
        }
        if values:
            tracker.log_scores(trial, values, store.pictures(trial.dataset, trial.key))

"""The MLflow experiment of a study: open it, read its runs, and report errors of its store as user errors."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mlflow
import requests
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from pipeline.errors import UserError
from pipeline.store.layout import PARAMS_FILE
from pipeline.tracking import address
from pipeline.tracking.mlflow_run import MlflowRun

__all__ = ["Experiment"]

RUNS_PER_PAGE = 1000
"""Runs in one answer to a search."""
TRAINING_EXPERIMENT = {"mlflow.experimentKind": "custom_model_development"}
"""A tag with which MLflow's UI opens on training runs and not on traces of language models."""


@dataclass
class Experiment:
    """An open experiment. The study's name is its name."""

    client: MlflowClient
    uri: str
    experiment_id: str

    @classmethod
    def open(cls, uri: str, study: str, root: Path) -> Experiment:
        """The study's experiment in the store at ``uri``; it is created if it does not exist.

        Raises:
            UserError: the kind of store is unknown, its file cannot be written, its server does not answer
                within seconds, or the experiment was deleted.
        """
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        resolved = address.resolve(uri, root)
        with store_errors(resolved), address.impatient():
            address.check(resolved)
            mlflow.set_tracking_uri(resolved)
            client = MlflowClient(resolved)
            found = client.get_experiment_by_name(study)
            if found is None:
                experiment_id = client.create_experiment(
                    study, artifact_location=_artifacts(resolved, root), tags=TRAINING_EXPERIMENT
                )
            elif found.lifecycle_stage == "deleted":
                raise UserError(
                    f"{address.KEY}: the experiment {study!r} was deleted from {address.readable(resolved)}. "
                    f"Restore it (mlflow experiments restore --experiment-id {found.experiment_id}), "
                    f"or give the study another name ({PARAMS_FILE}: study)."
                )
            else:
                experiment_id = found.experiment_id
            mlflow.set_experiment(experiment_id=experiment_id)  # mlflow.models takes no other argument for it
        return cls(client, resolved, experiment_id)

    def runs(self) -> Iterator[MlflowRun]:
        """All runs that are not deleted."""
        token = None
        while True:
            page = self.client.search_runs([self.experiment_id], max_results=RUNS_PER_PAGE, page_token=token)
            yield from (MlflowRun.of(self.client, run) for run in page)
            token = page.token
            if not token:
                return

    def create_run(self, name: str, tags: Mapping[str, str], began: int | None = None) -> MlflowRun:
        """A new run with the status RUNNING; ``began`` is in ms since 1970, by default now."""
        run = self.client.create_run(self.experiment_id, start_time=began, run_name=name, tags=dict(tags))
        return MlflowRun.of(self.client, run)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Raise errors of the store within the block as user errors."""
        with store_errors(self.uri):
            yield


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Raise errors of the store at ``uri`` within the block as user errors."""
    try:
        yield
    except (MlflowException, requests.RequestException, OSError) as error:
        found = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        raise UserError(
            f"{address.KEY}: the MLflow store {address.readable(uri)} failed: {address.readable(found)} "
            "Check that it runs and can be written, or name another. "
            "Nothing that was trained is lost; `dvc repro` logs what is missing."
        ) from error


def _artifacts(uri: str, root: Path) -> str | None:
    """The folder of a new experiment's files; None lets a server choose its own.

    A database has none. MLflow's default would be below the current folder.
    """
    remote = uri.startswith(("http", "databricks"))
    return None if remote else (root / "mlartifacts").absolute().as_uri()

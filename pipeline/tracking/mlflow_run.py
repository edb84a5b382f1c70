"""One MLflow run: its state as this process knows it, and every write to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag
from mlflow.tracking import MlflowClient

from pipeline.store.ready import Ready
from pipeline.tracking.run_record import Point, batches

__all__ = ["MlflowRun"]

METRICS_PER_REQUEST = 1000
PARAMS_PER_REQUEST = 100
"""MLflow accepts no more."""


@dataclass
class MlflowRun:
    """A run; each write changes the run in MLflow first, then this object."""

    client: MlflowClient
    run_id: str
    status: str
    """RUNNING, FINISHED, FAILED or KILLED."""
    tags: dict[str, str]
    metrics: dict[str, float]
    """The last value of each."""
    has_params: bool

    @classmethod
    def of(cls, client: MlflowClient, run: Run) -> MlflowRun:
        """A run as MLflow returns it."""
        data = run.data
        return cls(
            client, run.info.run_id, run.info.status, dict(data.tags), dict(data.metrics), bool(data.params)
        )

    def tag(self, tags: Mapping[str, str]) -> None:
        """Set tags."""
        self.client.log_batch(self.run_id, tags=[RunTag(name, value) for name, value in tags.items()])
        self.tags.update(tags)

    def log_params(self, params: Mapping[str, str]) -> None:
        """Log parameters, which MLflow never changes."""
        for batch in batches([Param(name, value) for name, value in params.items()], PARAMS_PER_REQUEST):
            self.client.log_batch(self.run_id, params=batch)
        self.has_params = True

    def log_metrics(self, points: Sequence[Point]) -> None:
        """Log values of metrics, in order of the steps for each metric."""
        for batch in batches(points, METRICS_PER_REQUEST):
            self.client.log_batch(self.run_id, metrics=[Metric(*point) for point in batch])
        self.metrics.update({point.name: point.value for point in points})

    def log_dataset(self, ready: Ready, context: str) -> None:
        """Log a data set as an input of the run."""
        meta = ready.meta
        source = str(meta.get("url") or meta.get("source") or ready.name)
        dataset = Dataset(
            name=ready.name, digest=meta["checksum"][:36], source_type="betabench", source=source[:1000]
        )
        tag = InputTag("mlflow.data.context", context)
        self.client.log_inputs(self.run_id, [DatasetInput(dataset, [tag])])

    def log_files(self, paths: Sequence[Path], folder: str) -> None:
        """Copy files to a folder of the run's artifacts."""
        for path in paths:
            self.client.log_artifact(self.run_id, str(path), folder)

    def reopen(self) -> None:
        """Set the status to RUNNING."""
        if self.status != "RUNNING":
            self.client.update_run(self.run_id, status="RUNNING")
            self.status = "RUNNING"

    def close(self, status: str, tags: Mapping[str, str], ended: int | None = None) -> None:
        """Set the last tags, and then the status; ``ended`` is in ms since 1970, by default now."""
        if status == "FINISHED" and self.tags.pop("failure", None) is not None:
            self.client.delete_tag(self.run_id, "failure")
        if tags:
            self.tag(tags)
        self.client.set_terminated(self.run_id, status, ended)
        self.status = status

    def delete(self) -> None:
        """Move the run to MLflow's trash."""
        self.client.delete_run(self.run_id)

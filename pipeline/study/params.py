"""params.yaml as frozen, validated objects. An unknown key or a bad value is an error that names it.

A study is (data sets) x (families x the values of their hyper-parameters) x (models) x (seeds). A list of
values for a hyper-parameter, or for a setting of the model, is a grid. The value of a hyper-parameter is a
number, a string, or ``{schedule: ..., ...}``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, TypeAdapter, ValidationError, field_validator

from pipeline.errors import UserError
from pipeline.store.layout import PARAMS_FILE
from pipeline.study.folders import member
from pipeline.study.hyper_grid import hyper_points
from pipeline.study.metric_call import MetricCall
from pipeline.study.metric_settings import read_call
from pipeline.study.model_settings import Model, check_values
from pipeline.study.validation import Strict, explain, validate

__all__ = ["Evaluation", "Params", "Scheduling", "Tracking", "check_training", "load"]


class Override(Strict):
    """Other values for one data set: keys of ``model`` and of ``training``."""

    model: dict[str, Any] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)


class Scheduling(Strict):
    """The resources of a worker process, which trains a trial or a pack of trials, and the cluster.

    None of this changes a result, so it is not part of a trial's identity.
    """

    cpu: Annotated[float, Field(gt=0)] = 1
    """CPU cores per worker, and its number of threads; below 1, several workers share a core.

    A metric is computed on one core at most, with one thread."""
    gpu: Annotated[float, Field(ge=0)] = 0
    """GPUs per worker; a fraction lets several workers share one."""
    pack: int | Literal["auto"] = "auto"
    """Trials that a worker trains side by side, with one copy of the data: a number or auto.

    auto is 1 on a CPU; on a GPU it is the number that maximises images per second
    (``pipeline.training.pack_size``). Trials that do not fit into memory wait."""
    retries: Annotated[int, Field(ge=0)] = 2
    """How often a failed trial is tried again, from its last checkpoint, in one run of ``tune``."""
    checkpoint_seconds: Annotated[float, Field(gt=0)] = 30
    """Seconds of training between two checkpoints: an interruption loses no more than that."""
    address: str | None = None
    """A Ray cluster to join (``auto`` or host:port); null starts Ray on this machine."""

    @field_validator("cpu", "gpu")
    @classmethod
    def _whole_above_one(cls, value: float) -> float:
        if value > 1 and value != int(value):
            raise ValueError("must be a whole number, or less than 1")
        return value

    @field_validator("pack", mode="before")
    @classmethod
    def _auto_or_a_number(cls, value: Any) -> Any:
        if value != "auto" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValueError("must be auto, or a whole number ≥ 1")
        return value


class Tracking(Strict):
    """The MLflow store."""

    uri: str = "sqlite:///mlflow.db"
    """An MLflow tracking URI; a relative SQLite path is relative to the root of the repository."""


class Evaluation(Strict):
    """The metrics that are computed for every trained model."""

    metrics: dict[str, dict[str, Any] | None]
    """Metric name (a file in metrics/*/) -> its settings (``pipeline.study.metric_settings``).

    A metric is left out for a trial that cannot provide its input."""
    batch_size: Annotated[int, Field(ge=1)] = 512
    """Images per forward pass. It changes the speed and not the results."""
    samples: Annotated[int, Field(ge=2)] = 2000
    """Most images to draw from a model's prior, and most real images to compare them with."""

    def calls(self) -> dict[str, MetricCall]:
        """Metric name -> the metric with its settings.

        Raises:
            UserError: a metric is unknown, or a setting of it is.
        """
        calls = {}
        for name, settings in self.metrics.items():
            try:
                calls[name] = read_call(name, settings or {})
            except ValueError as error:
                raise UserError(f"{PARAMS_FILE}: evaluation.metrics.{name}: {error}") from None
        return calls

    @field_validator("metrics", mode="before")
    @classmethod
    def _list_means_defaults(cls, value: Any) -> Any:
        return {name: {} for name in value} if isinstance(value, list) else value


class Params(Strict):
    """One study: the whole of params.yaml. Every key is required, since DVC's stages depend on them."""

    study: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\w .-]+$")]
    """The study's name, which is the MLflow experiment and the report's title."""
    datasets: Annotated[dict[str, dict[str, Any] | None], Field(min_length=1)]
    """Data set name (a file in pipeline/data/datasets/) -> its options."""
    families: Annotated[dict[str, dict[str, Any] | None], Field(min_length=1)]
    """Family name (a file in vaecore/families/) -> its hyper-parameters; a list of values is a grid."""
    untrained: bool
    """Whether to score models that are initialised and not trained: the baseline for every number."""
    seeds: Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1)]
    """Each configuration is trained once per seed."""
    model: Model
    """The settings of every model (``pipeline.study.model_settings``)."""
    training: dict[str, Any]
    """The fields of vaecore.training.Settings."""
    overrides: dict[str, Override]
    """Data set name -> the settings in which it differs."""
    scheduling: Scheduling
    evaluation: Evaluation
    tracking: Tracking

    def model_of(self, dataset: str) -> Model:
        """The settings of the model for one data set."""
        override = self.overrides.get(dataset, Override())
        return validate(Model, {**self.model.model_dump(), **override.model}, f"overrides.{dataset}.model")

    def training_of(self, dataset: str) -> Any:
        """The training settings for one data set, :class:`vaecore.training.Settings`."""
        override = self.overrides.get(dataset, Override())
        where = f"overrides.{dataset}.training" if override.training else "training"
        return _settings({**self.training, **override.training}, where)

    def require(self, dataset: str) -> None:
        """Check that the study uses a data set.

        Raises:
            UserError: there is no such data set, or the study does not use it.
        """
        if dataset not in self.datasets:
            member("pipeline.data.datasets", dataset, key="datasets")
            raise UserError(
                f"{PARAMS_FILE}: datasets: this study does not use {dataset!r}. "
                f"It has: {', '.join(self.datasets)}. Add a line `{dataset}: {{}}` there."
            )

    def dataset_options(self, name: str) -> Any:
        """The options of a data set: an ``Options`` object of its module."""
        module = member("pipeline.data.datasets", name, key=f"datasets.{name}")
        return validate(module.Options, self.datasets[name] or {}, f"datasets.{name}")


def load(path: Path = Path(PARAMS_FILE)) -> Params:
    """Read and check a params file, so that a mistake is found before anything runs.

    Raises:
        UserError: the message names the key, the value and what is allowed.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise UserError(
            f"{path}: there is no such file here ({Path.cwd()}). Run from the root of the repository."
        ) from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not YAML: {error}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected keys and values, found {type(content).__name__}.")
    params: Params = validate(Params, content, "")
    for name in params.datasets:
        params.dataset_options(name)
        params.model_of(name)
    for name in params.overrides:
        if name not in params.datasets:
            raise UserError(
                f"{PARAMS_FILE}: overrides.{name}: no such data set in this study. "
                f"It has: {', '.join(params.datasets)}."
            )
    if len(set(params.seeds)) != len(params.seeds):
        raise UserError(f"{PARAMS_FILE}: seeds: list each seed once, got {params.seeds}.")
    params.evaluation.calls()
    return params


def check_training(params: Params) -> None:
    """Check the model, the training settings and the hyper-parameters, which needs PyTorch.

    Raises:
        UserError: the message names the key, the value and what is allowed.
    """
    from pipeline.study.identity import MODEL

    for name in params.datasets:
        params.training_of(name)
        model = params.model_of(name)
        overridden = params.overrides.get(name, Override()).model
        for setting in Model.model_fields:
            where = f"overrides.{name}.model" if setting in overridden else "model"
            try:
                check_values(model.values(setting), MODEL.get(setting))
            except ValueError as error:
                raise UserError(f"{PARAMS_FILE}: {where}.{setting}: {error}") from None
    for family, grid in params.families.items():
        hyper_points(family, grid or {})


def _settings(values: Mapping[str, Any], where: str) -> Any:
    from vaecore.training import Settings

    known = [field.name for field in dataclasses.fields(Settings)]
    for name in values:
        if name not in known:
            raise UserError(f"{PARAMS_FILE}: {where}: unknown key {name!r}. Known: {', '.join(known)}.")
    try:
        return TypeAdapter(Settings).validate_python(dict(values))
    except ValidationError as error:
        raise UserError(explain(error, where)) from None
    except ValueError as error:
        raise UserError(f"{PARAMS_FILE}: {where}: {error}") from None

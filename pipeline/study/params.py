"""params.yaml as frozen, validated objects. An unknown key or a bad value is an error that names it.

A study is (data sets) x (families x the values of their hyper-parameters) x (seeds). Where a hyper-parameter has a
list, each of its values is a point of the grid; a value is a number, a string, or ``{schedule: ..., ...}``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from pipeline.errors import UserError
from pipeline.study import metric_settings
from pipeline.study.folders import member
from pipeline.study.hyper_grid import canonical, hyper_points

__all__ = ["Evaluation", "Model", "Params", "Scheduling", "Tracking", "load", "of_the_data"]

FILE = "params.yaml"


class Strict(BaseModel):
    """Frozen; a key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Named = str | dict[str, Any]
Latents = Annotated[int, Field(ge=1, le=4096)]


class Model(Strict):
    """What every family is built from. Each of these is a value, or a list, which is a grid."""

    network: Named | list[Named] = "conv"
    """A file in vaecore/networks/: conv, burgess, or {name: mlp, hidden: [256, 256]}."""
    initialization: Named | list[Named] | None = None
    """What weights start from, a file in vaecore/initializations/; null is the network's own."""
    latents: Latents | list[Latents] = 10
    """Number of latent variables, L."""
    likelihood: Named | list[Named] = "bernoulli"
    """A file in vaecore/likelihoods/: bernoulli, or {name: gaussian, sigma: 0.1 | learned | data}; data is the data set's own noise,
    where it is known."""
    corruption: Named | list[Named] = "none"
    """What training does to an image before the encoder sees it, a file in vaecore/corruptions/: none, or {name: noise, sigma: 0.3}."""

    @property
    def varied(self) -> list[str]:
        """The settings that are a grid."""
        return [name for name in Model.model_fields if len(self.values(name)) > 1]

    def values(self, name: str) -> list[Any]:
        """Those of one setting."""
        value = getattr(self, name)
        return value if isinstance(value, list) else [value]

    def points(self) -> list[dict[str, Any]]:
        """Every combination."""
        fields = list(Model.model_fields)
        return [dict(zip(fields, point, strict=True)) for point in product(*map(self.values, fields))]

    @field_validator("*")
    @classmethod
    def _each_once(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, list):
            listed = [canonical(each) for each in value]
            if not value:
                raise ValueError(f"the grid is empty; name at least one {info.field_name}")
            if any(each in listed[:place] for place, each in enumerate(listed)):
                raise ValueError("each value once")
        return value


class Override(Strict):
    """What one data set has otherwise: keys of ``model`` and of ``training``."""

    model: dict[str, Any] = {}
    training: dict[str, Any] = {}


class Scheduling(Strict):
    """What a worker process may use, how many trials it trains, and where. Not part of a trial's identity: results do not change.

    A worker process trains one trial, or a pack of them.
    """

    cpu: Annotated[float, Field(gt=0)] = 1
    """CPU cores per worker, which is also its number of threads; below 1, several workers share a core. A metric is computed on one
    core at most, with one thread."""
    gpu: Annotated[float, Field(ge=0)] = 0
    """GPUs per worker; a fraction lets several workers share one."""
    pack: int | Literal["auto"] = "auto"
    """Trials that a worker trains side by side, with one copy of the data: a number, or auto, which is 1 on a CPU, and on a GPU as
    many as raise the sum of images per second (``pipeline.training.pack_size``). What does not fit into memory waits."""
    retries: Annotated[int, Field(ge=0)] = 2
    """How often a failed trial is tried again within one run, from its last checkpoint."""
    checkpoint_seconds: Annotated[float, Field(gt=0)] = 30
    """Seconds of training between two checkpoints: what an interruption can cost at most."""
    address: str | None = None
    """A Ray cluster to join (``auto`` or host:port); null starts Ray on this machine."""

    @field_validator("cpu", "gpu")
    @classmethod
    def _whole_above_one(cls, value: float) -> float:
        if value > 1 and value != int(value):
            raise ValueError("Ray gives out whole cores and devices, or a fraction of one")
        return value

    @field_validator("pack", mode="before")
    @classmethod
    def _auto_or_a_number(cls, value: Any) -> Any:
        if value != "auto" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValueError("auto, or how many trials a worker trains side by side, a whole number ≥ 1")
        return value


class Tracking(Strict):
    """Where MLflow runs go."""

    uri: str = "sqlite:///mlflow.db"
    """Any MLflow tracking URI; a relative SQLite path is relative to the root of the repository."""


class Evaluation(Strict):
    """What is computed of every trained model."""

    metrics: dict[str, dict[str, Any] | None]
    """Metric names (the files in metrics/*/) and their settings (``pipeline.study.metric_settings``); a metric whose input a trial lacks is
    left out."""
    batch_size: Annotated[int, Field(ge=1)] = 512
    """Images per forward pass; changes speed, not results."""
    samples: Annotated[int, Field(ge=2)] = 2000
    """Images that a model's prior is judged by at most, and as many of the data set to compare them with."""

    @field_validator("metrics", mode="before")
    @classmethod
    def _list_means_defaults(cls, value: Any) -> Any:
        return {name: {} for name in value} if isinstance(value, list) else value


class Params(Strict):
    """One study: the whole of params.yaml. Every key must be there: they are what DVC's stages depend on."""

    study: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\w .-]+$")]
    """Its name: the MLflow experiment, and the report's title."""
    datasets: Annotated[dict[str, dict[str, Any] | None], Field(min_length=1)]
    """Data set name (a file in pipeline/data/datasets/) -> its options."""
    families: Annotated[dict[str, dict[str, Any] | None], Field(min_length=1)]
    """Family name (a file in vaecore/families/) -> its hyper-parameters; a list is a grid."""
    untrained: bool
    """Also score models that were initialised and never trained: the baseline every number is seen against."""
    seeds: Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1)]
    """One trial per configuration and seed."""
    model: Model
    training: dict[str, Any]
    """The fields of vaecore.training.Settings."""
    overrides: dict[str, Override]
    """Data set name -> what is otherwise there."""
    scheduling: Scheduling
    evaluation: Evaluation
    tracking: Tracking

    def model_of(self, dataset: str) -> Model:
        override = self.overrides.get(dataset, Override())
        return _validate(Model, {**self.model.model_dump(), **override.model}, f"overrides.{dataset}.model")

    def training_of(self, dataset: str) -> Any:
        """The data set's :class:`vaecore.training.Settings`."""
        override = self.overrides.get(dataset, Override())
        where = f"overrides.{dataset}.training" if override.training else "training"
        return _settings({**self.training, **override.training}, where)

    def require(self, dataset: str) -> None:
        """Check that the study has this data set.

        Raises:
            UserError: there is no such data set, or the study does not use it.
        """
        if dataset not in self.datasets:
            member("pipeline.data.datasets", dataset, key="datasets")
            raise UserError(
                f"{FILE}: datasets: this study does not use {dataset!r}. It has: {', '.join(self.datasets)}. "
                f"Add a line `{dataset}: {{}}` there."
            )

    def dataset_options(self, name: str) -> Any:
        """The data set's own ``Options`` object."""
        module = member("pipeline.data.datasets", name, key=f"datasets.{name}")
        return _validate(module.Options, self.datasets[name] or {}, f"datasets.{name}")


def load(path: Path = Path(FILE)) -> Params:
    """Read and check the whole of a params file, so that a mistake shows before anything runs.

    Raises:
        UserError: names the key, what was found and what is allowed.
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
    params: Params = _validate(Params, content, "")
    for name in params.datasets:
        params.dataset_options(name)
        params.model_of(name)
    for name in params.overrides:
        if name not in params.datasets:
            raise UserError(
                f"{FILE}: overrides.{name}: no such data set in this study. It has: {', '.join(params.datasets)}."
            )
    if len(set(params.seeds)) != len(params.seeds):
        raise UserError(f"{FILE}: seeds: each seed once, got {params.seeds}.")
    for name, settings in params.evaluation.metrics.items():
        try:
            metric_settings.check(name, settings or {})
        except ValueError as error:
            raise UserError(f"{FILE}: evaluation.metrics.{name}: {error}") from None
    return params


def check_training(params: Params) -> None:
    """The checks that need torch: hyper-parameters and training settings against what vaecore declares."""
    from pipeline.study.identity import MODEL

    for name in params.datasets:
        params.training_of(name)
        model = params.model_of(name)
        overridden = params.overrides.get(name, Override()).model
        for setting, folder in MODEL.items():
            for value in model.values(setting):
                try:
                    if value is not None:
                        folder.read(of_the_data(value, 1.0))
                except ValueError as error:
                    where = f"overrides.{name}.model" if setting in overridden else "model"
                    raise UserError(f"{FILE}: {where}.{setting}: {error}") from None
    for family, grid in params.families.items():
        hyper_points(family, grid or {})


def of_the_data(likelihood: Any, noise_sigma: float | None) -> Any:
    """A likelihood with the data set's noise in the place of ``sigma: data``.

    Raises:
        ValueError: the noise is not known.
    """
    if not isinstance(likelihood, Mapping) or likelihood.get("sigma") != "data":
        return likelihood
    if noise_sigma is None:
        raise ValueError(
            "'sigma: data' is the data set's own noise, which is not known here: give a number, or learned"
        )
    return {**likelihood, "sigma": noise_sigma}


def _settings(values: Mapping[str, Any], where: str) -> Any:
    from vaecore.training import Settings

    known = [field.name for field in dataclasses.fields(Settings)]
    for name in values:
        if name not in known:
            raise UserError(f"{FILE}: {where}: unknown key {name!r}. Known: {', '.join(known)}.")
    try:
        return TypeAdapter(Settings).validate_python(dict(values))
    except ValidationError as error:
        raise UserError(_explain(error, where)) from None
    except ValueError as error:
        raise UserError(f"{FILE}: {where}: {error}") from None


def _validate(model: type[BaseModel], values: Mapping[str, Any], where: str) -> Any:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UserError(_explain(error, where, model)) from None


def _explain(error: ValidationError, where: str, model: type[BaseModel] | None = None) -> str:
    """One line per mistake: params.yaml: key: what is wrong, got what."""
    lines = []
    for mistake in error.errors():
        location = ".".join(str(part) for part in ([where] if where else []) + list(mistake["loc"]))
        message = mistake["msg"].removeprefix("Value error, ")
        if mistake["type"] == "extra_forbidden":
            known = ""
            if model is not None and len(mistake["loc"]) == 1:
                known = f" Known here: {', '.join(model.model_fields)}."
            lines.append(f"{FILE}: {location}: unknown key.{known}")
        elif mistake["type"] == "missing":
            lines.append(f"{FILE}: {location}: is missing, and has no default.")
        else:
            lines.append(f"{FILE}: {location or 'the file'}: {message}, got {mistake['input']!r}.")
    return "\n".join(lines)

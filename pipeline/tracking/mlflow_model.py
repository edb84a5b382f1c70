"""A trained model as an MLflow model, which ``mlflow.pytorch.load_model`` loads without this repository.

The model carries the source of ``vaecore``. Its requirements are written here, since MLflow would start a
process to find them.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from importlib.metadata import version
from pathlib import Path

import mlflow.pytorch
from mlflow.models import Model

from vaecore.families import Family

__all__ = ["log_model"]


def log_model(run_id: str, family: Family) -> None:
    """Log a trained model to a run of the current experiment."""
    Model.log(
        artifact_path=None,
        name="model",
        flavor=mlflow.pytorch,
        run_id=run_id,
        pytorch_model=family,
        serialization_format="pickle",
        pip_requirements=[f"{name}=={version(name)}" for name in ("torch", "numpy")],
        code_paths=[str(_source("vaecore"))],
    )


@cache
def _source(package: str) -> Path:
    """The folder of a package's source."""
    spec = importlib.util.find_spec(package)
    return Path(str(spec and spec.origin)).parent

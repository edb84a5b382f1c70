"""The content of a trial's MLflow run: its parameters, tags and metrics, as plain values.

    params    data set, family, seed, network, initialization, latents, likelihood, corruption, training.*,
              and each option by its name; a schedule in short form (``capacity: linear(0→25)``) and part by
              part (``capacity.to: 25``)
    tags      trial_key, status, git commit, digests of data and code
    metrics   training/<term>     a learning curve, at the steps of history.parquet
              latents/rate_<l>    the same for the rate of one latent
              cost/<name>         seconds and images per second
              score/<metric>      a score of the trained model

MLflow's UI shows a section of charts for each part before a slash. NaN and infinity (the rate of a
deterministic code) are not sent, since the stores treat them differently, and a chart with such a value is
empty. The tags ``training_not_finite`` and ``scores_not_finite`` name the values that were left out.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from pipeline.study.identity import MODEL
from pipeline.study.trial import Trial
from pipeline.study.wording import short

__all__ = [
    "Point",
    "batches",
    "curve_name",
    "dataset_tags",
    "digest",
    "flattened",
    "params",
    "result_tags",
    "score_points",
    "scores_digest",
    "span",
    "tags",
    "training_points",
]

LONGEST_PARAM = 500
LONGEST_TAG = 5000
"""Characters; longer values are cut."""


class Point(NamedTuple):
    """One value of a metric, in the order of MLflow's ``Metric``."""

    name: str
    value: float
    time: int
    """ms since 1970"""
    step: int


def params(trial: Trial) -> dict[str, str]:
    """A trial's configuration, flat. The digests of data and code are tags."""
    values: dict[str, Any] = {
        "dataset": trial.dataset,
        "family": trial.family,
        "seed": trial.seed,
        "latents": trial.latents,
        "untrained": trial.untrained,
    }
    config = trial.config()
    for setting in MODEL:
        value = config[setting]
        values |= flattened(value if isinstance(value, Mapping) else {"name": value}, setting)
        values[setting] = values.pop(
            f"{setting}.name"
        )  # under the plain key, so that runs can be grouped by it
    values |= flattened(config["training"], "training")
    for name, value in config["hyper"].items():
        values |= flattened(value, name) if isinstance(value, Mapping) else {}
        values[name] = value
    return {name: short(value)[:LONGEST_PARAM] for name, value in values.items()}


def flattened(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """{"a": {"b": 1}} -> {"<prefix>.a.b": 1}."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= (
            flattened(value, f"{prefix}.{name}")
            if isinstance(value, Mapping)
            else {f"{prefix}.{name}": value}
        )
    return flat


def tags(trial: Trial, *, commit: str | None, lock: str | None) -> dict[str, str]:
    """Tags that identify a trial, its data and its code."""
    values = {
        "trial_key": trial.key,
        "dataset_checksum": trial.checksum,
        "code_digest": trial.code,
        "dvc_lock_digest": lock,
        "mlflow.source.git.commit": commit,
        "mlflow.source.name": "betabench",
        "mlflow.source.type": "LOCAL",
    }
    return {name: value for name, value in values.items() if value is not None}


def dataset_tags(meta: Mapping[str, Any]) -> dict[str, str]:
    """Tags that describe a data set, for its run."""
    tags = {"dataset_checksum": meta["checksum"], "images": str(meta["n"])}
    for name in ("shape", "factor_names", "factor_sizes", "source", "licence", "citation"):
        if meta.get(name) is not None:
            tags[f"dataset.{name}"] = str(meta[name])[:LONGEST_TAG]
    return tags


def result_tags(result: Mapping[str, Any], missing: Sequence[str]) -> dict[str, str]:
    """Tags of a result; ``missing`` names the learning curves with values that are not finite."""
    tags = {"status": str(result["status"]), "logged_result": digest(dict(result))}
    if missing:
        tags["training_not_finite"] = ", ".join(missing)
    if result.get("commit"):
        tags["mlflow.source.git.commit"] = result["commit"]
    if result.get("diverged_at") is not None:
        tags["diverged_at"] = str(result["diverged_at"])
    return tags


def digest(value: Any) -> str:
    """16 hexadecimal digits of a JSON value's SHA-256."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def scores_digest(values: Mapping[str, float], pictures: Sequence[Path]) -> str:
    """The digest of a trial's scores and pictures."""
    found = {picture.name: hashlib.sha256(picture.read_bytes()).hexdigest() for picture in pictures}
    return digest([{name: repr(float(value)) for name, value in values.items()}, found])


def curve_name(term: str) -> str:
    """The name in MLflow of a column of the history."""
    section = "latents" if re.fullmatch(r"rate_\d+", term) else "training"
    return f"{section}/{term}"


def training_points(history: pd.DataFrame, result: Mapping[str, Any]) -> tuple[list[Point], list[str]]:
    """The finite values of all learning curves and the cost of the training; the terms with other values."""
    points: list[Point] = []
    missing: list[str] = []
    began, ended = span(result)
    steps = [int(step) for step in history["step"]]
    times = [began + (ended - began) * step // max(1, result["steps"]) for step in steps]
    for term in history.columns.drop("step"):
        values = [float(value) for value in history[term]]
        points += [
            Point(curve_name(term), value, time, step)
            for step, time, value in zip(steps, times, values, strict=True)
            if math.isfinite(value)
        ]
        if not all(map(math.isfinite, values)):
            missing.append(str(term))
    for name in ("seconds", "images_per_second"):
        if result.get(name) is not None:
            points.append(Point(f"cost/{name}", float(result[name]), ended, result["steps"]))
    return points, missing


def score_points(values: Mapping[str, float], time: int, step: int) -> tuple[list[Point], list[str]]:
    """The finite scores, and the names of the others."""
    points = [
        Point(f"score/{name}", float(value), time, step)
        for name, value in values.items()
        if math.isfinite(value)
    ]
    return points, sorted(name for name, value in values.items() if not math.isfinite(value))


def span(result: Mapping[str, Any]) -> tuple[int, int]:
    """When a trial began to train and when it ended, in ms since 1970, as if it had not been interrupted.

    The times of a curve's points are interpolated between the two. They depend on the result alone: logging a
    result twice writes the same points, which a store keeps once.
    """
    end = int(datetime.fromisoformat(result["finished"]).timestamp() * 1000)
    return end - int(result.get("elapsed", result["seconds"]) * 1000), end


def batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Consecutive parts of at most ``size`` items."""
    return (items[start : start + size] for start in range(0, len(items), size))

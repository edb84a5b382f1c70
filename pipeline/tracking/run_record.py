"""What an MLflow run says of a trial: its parameters, tags and curves, as plain dictionaries.

    params    data set, family, seed, network, initialization, latents, likelihood, corruption, training.*, and each option by its name;
              a schedule by its short form (``capacity: linear(0→25)``) and part by part (``capacity.to: 25``)
    tags      trial_key, status, git commit, digests of data and code
    metrics   training/<term>     a learning curve, at the steps of history.parquet
              latents/rate_<l>    likewise, the rate of one latent: a section of its own in the UI's charts
              score/<metric>      what evaluation found

The part before the slash makes a section of charts in MLflow's UI. NaN and infinity (the rate of a deterministic code) are
not sent: the stores disagree on them, and a chart that meets one shows nothing. The tags ``training_not_finite`` and
``scores_not_finite`` name what was left out.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.study.identity import MODEL
from pipeline.study.trial import Trial, short

__all__ = [
    "batches",
    "curve_name",
    "curves",
    "dataset_tags",
    "digest",
    "finite",
    "flattened",
    "params",
    "scores_digest",
    "span",
    "tags",
]

LONGEST_PARAM = 500
LONGEST_TAG = 5000


def params(trial: Trial) -> dict[str, str]:
    """A trial's configuration, flat. What identifies data and source is among the tags."""
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
        values[setting] = values.pop(f"{setting}.name")  # the name by itself is what one groups by
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
    """What a run is found by, and what it was computed from."""
    known = {
        "trial_key": trial.key,
        "dataset_checksum": trial.checksum,
        "code_digest": trial.code,
        "dvc_lock_digest": lock,
        "mlflow.source.git.commit": commit,
        "mlflow.source.name": "betabench",
        "mlflow.source.type": "LOCAL",
    }
    return {name: value for name, value in known.items() if value is not None}


def dataset_tags(meta: Mapping[str, Any]) -> dict[str, str]:
    """What a data set's run says of its data."""
    tags = {"dataset_checksum": meta["checksum"], "images": str(meta["n"])}
    for name in ("shape", "factor_names", "factor_sizes", "source", "licence", "citation"):
        if meta.get(name) is not None:
            tags[f"dataset.{name}"] = str(meta[name])[:LONGEST_TAG]
    return tags


def digest(value: Any) -> str:
    """16 hexadecimal digits of a JSON value's SHA-256."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def scores_digest(values: Mapping[str, float], pictures: Sequence[Path]) -> str:
    """Of scores and of the pictures that go with them."""
    found = {picture.name: hashlib.sha256(picture.read_bytes()).hexdigest() for picture in pictures}
    return digest([{name: repr(float(value)) for name, value in values.items()}, found])


def curve_name(term: str) -> str:
    """The name that a column of the history has in MLflow."""
    section = "latents" if re.fullmatch(r"rate_\d+", term) else "training"
    return f"{section}/{term}"


def curves(history: pd.DataFrame) -> tuple[list[tuple[str, float, int]], list[str]]:
    """(name, value, step) of every finite value, and the terms that had others, from history.parquet."""
    points: list[tuple[str, float, int]] = []
    missing: list[str] = []
    steps = [int(step) for step in history["step"]]
    for term in history.columns.drop("step"):
        values = [float(value) for value in history[term]]
        points += [
            (curve_name(term), value, step)
            for step, value in zip(steps, values, strict=True)
            if math.isfinite(value)
        ]
        if not all(map(math.isfinite, values)):
            missing.append(str(term))
    return points, missing


def finite(values: Mapping[str, float]) -> tuple[dict[str, float], list[str]]:
    """Final scores by their name in MLflow, and the names of those that are not finite."""
    kept = {f"score/{name}": float(value) for name, value in values.items() if math.isfinite(value)}
    return kept, sorted(name for name, value in values.items() if not math.isfinite(value))


def span(result: Mapping[str, Any]) -> tuple[int, int]:
    """When a trial began to train and when it ended, in ms since 1970; without interruptions in between.

    The times of a curve's points are interpolated between the two. They depend on the result alone, so logging one
    twice writes the very same points, which a store keeps once.
    """
    end = int(datetime.fromisoformat(result["finished"]).timestamp() * 1000)
    return end - int(result.get("elapsed", result["seconds"]) * 1000), end


def batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Consecutive parts of at most ``size`` items."""
    return (items[start : start + size] for start in range(0, len(items), size))

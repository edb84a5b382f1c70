"""A small study for tests: writes its params.yaml, prepares its data, trains its trials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from sklearn.datasets import load_digits

from pipeline.store.layout import Store
from pipeline.study.expansion import expand
from pipeline.study.params import Params, load
from pipeline.study.trial import Trial
from pipeline.training.pack import train

__all__ = ["FEW", "configure", "prepare", "train_all", "trials_of"]

FEW = ["distortion", "mse", "psnr", "rate", "negative_elbo", "logistic_accuracy"]


def configure(names: list[str] | dict[str, Any], **changes: Any) -> None:
    """Write params.yaml: metrics ``names``, one data set, four trials of 20 steps, and ``changes``."""
    content = {
        "study": "small",
        "datasets": {"digits": {"test_fraction": 0.2}},
        "families": {"ae": {}, "beta_vae": {"beta": [1, 4]}},
        "untrained": True,
        "seeds": [0],
        "model": {"network": {"name": "mlp", "hidden": [16]}, "latents": 3},
        "training": {
            "steps": 20,
            "batch_size": 16,
            "learning_rate": 0.001,
            "precision": "float32",
            "record_every": 10,
        },
        "overrides": {},
        "scheduling": {"cpu": 1, "gpu": 0, "retries": 0, "checkpoint_seconds": 30, "address": None},
        "evaluation": {"metrics": names, "batch_size": 64, "samples": 40},
        "tracking": {"uri": "sqlite:///mlflow.db"},
    }
    Path("params.yaml").write_text(yaml.safe_dump({**content, **changes}))


def prepare(store: Store) -> None:
    """300 digits with labels, 60 of them held out, and two factors that are unrelated to the images."""
    digits = load_digits()
    index = np.arange(300)
    store.write_ready(
        "digits",
        images=np.round(digits.images[:300] * 255 / 16).astype(np.uint8)[:, None],
        labels=digits.target[:300].astype(np.int64),
        factors=np.stack([index // 10 % 3, index % 10], axis=1).astype(np.int16),
        split=np.where(index % 5 == 0, 2, 0).astype(np.uint8),
        meta={
            "shape": [1, 8, 8],
            "storage": "uint8",
            "licence": "BSD-3-Clause",
            "citation": "scikit-learn",
            "factor_names": ["tens", "ones"],
            "factor_sizes": [3, 10],
        },
    )


def trials_of(params: Params, store: Store) -> list[Trial]:
    return expand(params, {"digits": store.read_ready("digits")})


def train_all(store: Store) -> list[Trial]:
    """Train the trials of params.yaml that are not trained yet, and return all of its trials."""
    trials = trials_of(load(), store)
    for trial in trials:
        if not store.is_finished(trial.dataset, trial.key):
            list(train([trial], store))
    return trials

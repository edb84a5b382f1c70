"""One process of ``benchmarks.solvers``: CPU seconds and scores of metrics, with one side's solvers.

Its argument is a JSON text: the parameters of ``measure``. It prints the answer as JSON.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import synthetic_codes
from benchmarks.synthetic_codes import Table

__all__ = ["METRICS", "measure", "scikit_learn"]

METRICS = {
    "disentanglement.sap": "support vector machines",
    "disentanglement.udr": "lasso",
    "disentanglement.explicitness": "logistic regression",
    "disentanglement.beta_vae_score": "logistic regression",
    "disentanglement.infomec": "logistic regression",
    "disentanglement.edi": "logistic regression",
    "disentanglement.sample_efficiency": "logistic regression",
    "representation.logistic_accuracy": "logistic regression",
    "representation.few_label_accuracy": "logistic regression",
}
"""Module of the metric -> its solver. Sample efficiency has one boosted tree, so that regressions show."""
PEERS = 49
"""Peers of UDR: a study has 50 seeds."""


def measure(
    side: str, metrics: Sequence[str], rows: tuple[int, int], file: str | None
) -> dict[str, dict[str, Any]]:
    """Metric -> seconds and scores of a second call, by the package ``metrics`` that this process imports.

    side: with "scikit-learn", its regression replaces ours. rows: of training and test. file: of codes.
    """
    if side == "scikit-learn":
        importlib.import_module("metrics.logistic").fit = scikit_learn  # type: ignore[attr-defined]
    codes = synthetic_codes.from_file(Path(file), rows) if file else synthetic_codes.synthetic(*rows)
    found = {}
    for name in metrics:
        function = getattr(importlib.import_module(f"metrics.{name}"), name.split(".")[1])
        for _ in range(2):
            given = _arguments(function, codes)
            start = time.process_time()
            scores = function(**given)
            seconds = time.process_time() - start
        found[name] = {"seconds": seconds, "scores": scores}
    return found


def _arguments(function: Any, codes: Table) -> dict[str, Any]:
    """The arrays and settings of one call: everything that the metric has a parameter for."""
    parameters = inspect.signature(function).parameters
    rows = slice(None) if {"test", "train_points"} & parameters.keys() else slice(codes.train)
    std = np.full_like(codes.codes, 0.3) if codes.std is None else codes.std
    known = {
        "codes": codes.codes[rows],
        "factors": codes.factors[rows],
        "targets": codes.factors[rows],
        "test": np.arange(len(codes.codes)) >= codes.train,
        "mean": codes.codes[rows],
        "std": std[rows],
        "rng": np.random.default_rng(0),
        "trees": 1,
    }
    if "peer_mean" in parameters:
        known["peer_mean"], known["peer_std"] = _peers(codes.codes[rows], std[rows])
    return {key: value for key, value in known.items() if key in parameters}


def _peers(codes: NDArray[Any], std: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Codes and deviations [N, L] -> those of other seeds, each [P, N, L]."""
    rng = np.random.default_rng(1)
    orders = [rng.permutation(codes.shape[1]) for _ in range(PEERS)]
    noise = 0.3 * codes.std(axis=0)
    means = [
        (codes + noise * rng.standard_normal(codes.shape))[:, order] * rng.choice([-1, 1], len(order))
        for order in orders
    ]
    return np.stack(means), np.stack([std[:, order] for order in orders])


def scikit_learn(
    x: NDArray[np.float64], y: NDArray[np.intp], size: int, *, penalty: float = 1.0, balanced: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The signature of ``metrics.logistic.fit``, by scikit-learn with its own solver and tolerance."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(
        C=1 / penalty if penalty else np.inf, class_weight="balanced" if balanced else None
    ).fit(x, y)
    w, b = model.coef_.T, model.intercept_
    return (w, b) if size > 2 else (np.concatenate([-w, w], axis=1) / 2, np.concatenate([-b, b]) / 2)


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # regressions of scikit-learn that stop after 100 steps
    print(json.dumps(measure(**json.loads(sys.argv[1]))))

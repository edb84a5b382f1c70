"""One process of ``benchmarks.metrics``: seconds and scores of metrics, ours and the peer's in turns.

It is started with OMP_NUM_THREADS set. Its argument is a task, a JSON text. It prints a JSON line per metric.
The first call of each side does not count: it may import. If the peer's first call took more than ``SLOW``
seconds, it is the only one, and counts.

    the suite      the metrics of the 12,600-model study, which the peer has too
    the others     all other metrics that need codes, factors or targets, and only arrays that the table has

Metrics that draw fresh images get all rows to draw from. Metrics with a probe get all rows, and the held-out
ones are marked. All others get the training rows.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import metrics
from benchmarks import synthetic_codes
from benchmarks.synthetic_codes import Table
from metrics.parameters import parameters

__all__ = ["SLOW", "SUITE", "Task", "main", "measure", "others"]

SLOW = 5.0
"""Seconds above which the peer is called once, and a metric outside the suite twice."""
QUICK = 0.1
"""Seconds below which a row is measured five times as often."""
SUITE = {
    "mig": {"mig": "discrete_mig"},
    "modularity_explicitness": {
        "modularity": "modularity_score",
        "explicitness": "explicitness_score_test",
        "explicitness_train": "explicitness_score_train",
    },
    "sap": {"sap": "SAP_score"},
    "irs": {"irs": "IRS"},
    "unsupervised": {
        "unsupervised_total_correlation": "gaussian_total_correlation",
        "unsupervised_wasserstein": "gaussian_wasserstein_correlation",
        "unsupervised_wasserstein_norm": "gaussian_wasserstein_correlation_norm",
        "unsupervised_mutual_information": "mutual_info_score",
    },
    "beta_vae_score": {"beta_vae_score": "eval_accuracy", "beta_vae_score_train": "train_accuracy"},
    "factor_vae_score": {"factor_vae_score": "eval_accuracy", "factor_vae_score_train": "train_accuracy"},
    "dci": {
        "dci_disentanglement": "disentanglement",
        "dci_completeness": "completeness",
        "dci_informativeness_train": "informativeness_train",
        "dci_informativeness_test": "informativeness_test",
    },
}
"""Rows of the suite -> the keys of our scores -> the keys of the peer's, which should be equal."""
TOGETHER = {"modularity_explicitness": ("modularity", "explicitness")}
"""Rows that are several metrics of ours. Every other row has the name of its metric."""
DRAWING = ("beta_vae_score", "factor_vae_score")
BINS = 20
"""The peer's bins of codes, and of the factors of IRS."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """The work of one process."""

    metrics: Sequence[str]
    """Rows of the suite and other metrics."""
    threads: int
    """The ``jobs`` of a metric that has this setting. Libraries read OMP_NUM_THREADS."""
    repeats: int
    peer: bool
    rows: Sequence[int] | None
    """Training and test rows; None means all rows of the file."""
    sizes: Sequence[int]
    points: Sequence[int]
    """Of the β-VAE and FactorVAE scores: training and evaluation points."""
    codes: str | None
    """A file instead of the made-up model."""

    def table(self) -> Table:
        if self.codes:
            return synthetic_codes.from_file(Path(self.codes), self.rows)
        train, test = self.rows or (synthetic_codes.TRAIN_ROWS, synthetic_codes.TEST_ROWS)
        return synthetic_codes.synthetic(train, test, self.sizes)


def ours_of(row: str) -> tuple[str, ...]:
    """The metrics that a row stands for."""
    return TOGETHER.get(row, (row,))


def others(available: Sequence[str]) -> list[str]:
    """Metrics outside the suite that need codes, factors or targets, and no array that is not available."""
    known = {*available, "test", "rng"}
    suite = {metric for row in SUITE for metric in ours_of(row)}
    found = []
    for name in metrics.names():
        needed = set(parameters(name).arrays)
        if name not in suite and needed & {"codes", "factors", "targets"} and needed <= known:
            found.append(name)
    return found


def arguments(name: str, table: Table, task: Task) -> dict[str, Any]:
    """The arrays and settings of a call of one of our metrics, without ``rng``."""
    has = inspect.signature(metrics.function(name)).parameters
    held = np.arange(len(table.codes)) >= table.train
    whole = name in DRAWING or ("test" in has and held.any())
    rows = slice(None) if whole else slice(table.train)
    known = {
        "codes": table.codes[rows],
        "mean": table.codes[rows],
        "std": None if table.std is None else table.std[rows],
        "factors": table.factors[rows],
        "targets": table.factors[rows],
        "test": held,
        "factor_bins": BINS,
        "jobs": task.threads,
        "train_points": task.points[0],
        "evaluation_points": task.points[1],
    }
    return {key: value for key, value in known.items() if key in has and value is not None}


def measure(row: str, table: Table, task: Task) -> dict[str, Any]:
    """One row: seconds of every call, medians, scores, and the reason if a side failed."""
    calls = [(metrics.function(name), arguments(name, table, task)) for name in ours_of(row)]

    def ours() -> dict[str, float]:
        found: dict[str, float] = {}
        for function, passed in calls:
            drawn = (
                {"rng": np.random.default_rng(0)} if "rng" in inspect.signature(function).parameters else {}
            )
            found |= function(**passed, **drawn)
        return found

    sides: dict[str, Callable[[], dict[str, float]]] = {"ours": ours}
    if task.peer and row in SUITE:
        from benchmarks import disentanglement_lib as peer

        sides["peer"] = lambda: peer.score(row, table, (task.points[0], task.points[1]))
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    scores: dict[str, dict[str, float]] = {}
    failed: dict[str, str] = {}
    first: dict[str, float] = {}
    for side, call in sides.items():
        try:
            first[side], scores[side] = _timed(call)
        except Exception as error:  # the table shows it, and goes on with the others
            failed[side] = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"
    if first.get("peer", 0.0) > SLOW:
        seconds["peer"].append(first["peer"])
    again = [side for side in sides if side in first and not seconds[side]]
    for _ in range(_rounds(first.get("ours", SLOW), row in SUITE, task.repeats)):
        for side in again:
            seconds[side].append(_timed(sides[side])[0])
    answer: dict[str, Any] = {"metric": row, "suite": row in SUITE}
    for side in sides:
        answer[side] = {
            "seconds": median(seconds[side]) if seconds[side] else None,
            "calls": seconds[side],
            "first_call": first.get(side),
            "failed": failed.get(side),
        }
    answer["scores"] = _scores(row, scores)
    return answer


def _rounds(first: float, suite: bool, repeats: int) -> int:
    """How often to measure a row, by the seconds of its first call."""
    if first < QUICK:
        return 5 * repeats
    return 1 if first > SLOW and not suite else repeats


def _timed(call: Callable[[], dict[str, float]]) -> tuple[float, dict[str, float]]:
    # The library warns about versions and iterations. Its output must not mix with that of this process.
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        found = call()
        return time.perf_counter() - start, found


def _scores(row: str, scores: dict[str, dict[str, float]]) -> dict[str, dict[str, float | None]]:
    """Our key -> the value of each side."""
    ours, theirs = scores.get("ours", {}), scores.get("peer", {})
    pairs = SUITE.get(row) or {metrics.describe(row).main: ""}
    return {key: {"ours": ours.get(key), "peer": theirs.get(their)} for key, their in pairs.items()}


def main(text: str) -> Iterator[dict[str, Any]]:
    """The rows of a task, a JSON ``text``, one after the other."""
    task = Task(**json.loads(text))
    table = task.table()
    for row in task.metrics:
        yield measure(row, table, task)


if __name__ == "__main__":
    for answer in main(sys.argv[1]):
        print(json.dumps(answer), flush=True)

"""The report's sections on the run itself: machines, versions, training times, and trials without a score."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from statistics import median
from typing import Any

import metrics
from pipeline.reporting.outcome import Study
from pipeline.reporting.summary import write_number
from pipeline.store.layout import Store
from pipeline.study import provenance

__all__ = ["documentation", "metric_facts", "mixed_precision", "run_facts", "times", "troubles"]

VERSIONS = ("python", "torch", "ray", "mlflow", "numpy", "scikit-learn")
REASONS = {
    "missing": "it did not run to its end",
    "unscored": "trained, but evaluate has not scored it",
}
TRACEBACK_LINES = 12
"""The last lines of a traceback that are shown."""


def troubles(study: Study) -> list[dict[str, str]]:
    """Every trial that has no score: its name, data set, status and reason, and the end of the traceback."""
    found = []
    for trial in study.trials:
        status = study.status(trial)
        if status == "finished":
            continue
        trouble = {"trial": trial.name, "dataset": trial.dataset, "status": status, "detail": ""}
        if status == "failed":
            failure = study.failures[trial.key]
            attempts = failure.get("attempts", 1)
            trouble["status"] = f"failed, {attempts} attempt{'s' * (attempts != 1)}"
            trouble["reason"] = str(failure.get("reason", "no reason was recorded"))
            lines = str(failure.get("detail") or "").strip().splitlines()
            trouble["detail"] = "\n".join(lines[-TRACEBACK_LINES:])
        elif status == "diverged":
            step = study.results[trial.key]["diverged_at"]
            trouble["reason"] = f"the loss was not finite at step {step:,} of {trial.training.steps:,}"
        else:
            trouble["reason"] = REASONS.get(status, status)
        found.append(trouble)
    return found


def run_facts(study: Study, store: Store) -> list[tuple[str, str]]:
    """(name, value) of machines, versions and dates; a value lists all that occur among the trials."""
    results = list(study.results.values())
    machines = [result.get("machine", {}) for result in results]
    facts = [
        ("processor", _distinct(machine.get("cpu") for machine in machines)),
        ("accelerator", _distinct(machine.get("gpu") for machine in machines) or "none"),
        ("device of a trial", _distinct(f"{r.get('device')}, threads: {r.get('threads')}" for r in results)),
        ("precision", _distinct(result.get("precision") for result in results)),
        ("system", _distinct(machine.get("system") for machine in machines)),
        *((f"{name} version", _distinct(machine.get(name) for machine in machines)) for name in VERSIONS),
    ]  # fmt: skip
    ends = [datetime.fromisoformat(result["finished"]) for result in results if "finished" in result]
    starts = [
        datetime.fromisoformat(result["finished"])
        - timedelta(seconds=result.get("elapsed", result["seconds"]))
        for result in results
        if "finished" in result
    ]
    if ends:
        facts.append(("trained", f"{min(starts):%Y-%m-%d %H:%M} to {max(ends):%Y-%m-%d %H:%M} UTC"))
    together = max((result.get("together", 1) for result in results), default=1)
    if together > 1:
        facts.append(("trials side by side in a worker", f"up to {together}"))
    interrupted = sum(result.get("interruptions", 0) > 0 for result in results)
    if interrupted:
        facts.append(("interrupted and resumed", f"{interrupted} trials"))
    facts.append(("git commit", provenance.git_commit(store.root) or "not in a git repository"))
    return [(what, value or "not recorded") for what, value in facts]


def mixed_precision(study: Study) -> list[str]:
    """A sentence for each data set and family whose trials computed in different precisions."""
    sentences = []
    for dataset, settings in study.settings.items():
        for family in dict.fromkeys(setting.family for setting in settings):
            trials = [trial for setting in settings if setting.family == family for trial in setting.trials]
            found: dict[tuple[str, ...], Counter[str]] = {}
            for (
                trial
            ) in trials:  # "auto" depends on the network too, so only trials of one model are compared
                model = tuple(str(getattr(trial, axis)) for axis in trial.varied)
                if (precision := study.results.get(trial.key, {}).get("precision")) is not None:
                    found.setdefault(model, Counter())[precision] += 1
            counts = sum((each for each in found.values() if len(each) > 1), Counter())
            if counts:
                listed = ", ".join(f"{precision} in {count}" for precision, count in sorted(counts.items()))
                sentences.append(
                    f"{family} on {dataset}: trials computed in different precisions ({listed}), because "
                    "auto chooses by the hardware. Set training.precision to compare trials of one precision."
                )
    return sentences


def times(study: Study) -> list[dict[str, Any]]:
    """A row per data set and family: trials, median seconds and images per second, total seconds."""
    rows = []
    for dataset in study.settings:
        for family in study.families:
            results = [
                study.results[trial.key]
                for trial in study.trials
                if (trial.dataset, trial.family, trial.untrained) == (dataset, family, False)
                and trial.key in study.results
            ]
            if not results:
                continue
            speeds = [result["images_per_second"] for result in results if result.get("images_per_second")]
            seconds = [result["seconds"] for result in results]
            rows.append(
                {
                    "dataset": dataset,
                    "family": family,
                    "trials": len(results),
                    "seconds": median(seconds),
                    "speed": median(speeds) if speeds else None,
                    "total": sum(seconds),
                }
            )
    return rows


def documentation(package: str, name: str) -> tuple[str, str]:
    """(first line, the rest) of the docstring of a family's or a metric's module."""
    folder = metrics.names()[name] + "." if package == "metrics" else ""
    text = importlib.import_module(f"{package}.{folder}{name}").__doc__ or name
    title, _, rest = text.strip().partition("\n")
    return title, rest.strip()


def metric_facts(about: metrics.Description) -> list[tuple[str, str]]:
    """(name, value) of the facts that a reader of a metric's scores needs."""
    low, high = (write_number(bound) for bound in about.range)
    better = {True: ", higher is better", False: ", lower is better", None: ""}[about.higher_is_better]
    facts = [("main value", about.main)] if about.main != about.name else []
    return [
        *facts,
        ("range", f"{low} to {high}{' ' + about.unit if about.unit else ''}{better}"),
        *([("assumes", "the prior N(0, I)")] if about.standard_normal else []),
        ("blind to", about.blind_to),
        ("cost", about.cost),
    ]


def _distinct(values: Iterable[Any]) -> str:
    return "; ".join(dict.fromkeys(str(value) for value in values if value is not None))

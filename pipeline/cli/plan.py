"""What `betabench run` would prepare, train and score, and about how long that takes. Nothing is run.

It works from a fresh clone too: what a data set has is then taken from its card, before its bytes are here.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipeline.cli.estimate import Estimate, estimate
from pipeline.scoring.score_cache import plan, requested
from pipeline.store.layout import Store
from pipeline.store.ready import Ready
from pipeline.study.applicability import left_out
from pipeline.study.expansion import expand
from pipeline.study.folders import member
from pipeline.study.params import Params, check_training, load
from pipeline.study.settings import BASELINE
from pipeline.study.trial import Trial
from pipeline.study.wording import duration

__all__ = ["add_arguments", "main"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""


def main(options: argparse.Namespace) -> int:
    """Print the plan."""
    params, store = load(), Store(Path.cwd())
    check_training(params)
    prepared = dict(found(params, store))
    ready = {name: prepared.get(name) or expected(params, name) for name in params.datasets}
    trials = expand(params, ready)
    states = {trial.key: state(trial, store) for trial in trials}
    pending = [trial for trial in trials if states[trial.key] != "finished"]
    scored = [trial for trial in trials if store.is_finished(trial.dataset, trial.key) or trial in pending]
    work = plan(scored, requested(params, ready, scored), store)

    console = Console(highlight=False)
    console.print(f"Study {params.study!r}. Nothing is run.\n", markup=False)
    console.print(datasets(params, prepared))
    console.print()
    console.print(counts(trials, states))
    console.print(f"\nscores   {sum(len(each.metrics) for each in work)} to compute, for {len(work)} models")
    for line in left_out(list(params.evaluation.metrics), trials, ready):
        console.print(Padding(Text(f"does not apply to {line}", style="dim"), (0, 0, 0, 9)))
    console.print(f"\ntime     {sentence(estimate(pending, work, ready, params.scheduling, store))}")
    return 0


def found(params: Params, store: Store) -> Iterator[tuple[str, Ready]]:
    """The data sets that are prepared."""
    for name in params.datasets:
        if (store.ready(name) / "meta.json").exists():
            yield name, store.read_ready(name)


def expected(params: Params, name: str) -> Ready:
    """A data set that is not prepared yet, with the ground truth that its card announces."""
    about = member("pipeline.data.datasets", name, key="datasets").ABOUT
    options = params.dataset_options(name)
    side = options.image_size or options.original_size or 64
    own = not about.files and not about.factors and not about.labels  # the user's: it may have any truth
    truth = np.zeros((2, max(1, len(about.factors))), dtype=np.int64)
    return Ready(
        name=name,
        meta={"shape": [1, side, side], "checksum": "not prepared", "noise_sigma": 1.0},
        images=np.zeros((2, 1, side, side), dtype=np.uint8),
        factors=truth if about.factors or own else None,
        labels=truth[:, 0] if about.labels or own else None,
        split=None,
        attributes=truth.astype(np.float32) if about.attributes else None,
    )


def state(trial: Trial, store: Store) -> str:
    """What there is of a trial: "finished", "checkpoint", "failed" or "new"."""
    if store.result(trial.dataset, trial.key) is not None:
        return "finished"
    if (store.run(trial.dataset, trial.key) / "checkpoint.pt").exists():
        return "checkpoint"
    return "failed" if store.failure(trial.dataset, trial.key) is not None else "new"


def datasets(params: Params, prepared: Mapping[str, Ready]) -> Table:
    """A row per data set."""
    table = _table("data set", "")
    for name in params.datasets:
        here = prepared.get(name)
        table.add_row(name, f"prepared, {len(here):,} images" if here else "to be fetched and prepared")
    return table


def counts(trials: Sequence[Trial], states: Mapping[str, str]) -> Table:
    """A row per data set and family, and their sum."""
    columns = ("new", "checkpoint", "failed", "finished")
    rows: dict[tuple[str, str], Counter[str]] = {}
    for trial in trials:
        family = BASELINE if trial.untrained else trial.family
        rows.setdefault((trial.dataset, family), Counter())[states[trial.key]] += 1
    table = _table("trials", "", "to train", "resume", "retry", "finished")
    for (dataset, family), row in rows.items():
        table.add_row(dataset, family, *(str(row[column] or "") for column in columns))
    total = sum(rows.values(), Counter())
    table.add_row("all", "", *(str(total[column]) for column in columns), style="bold")
    return table


def sentence(found: Estimate) -> str:
    """The estimate in words."""
    if not found.work:
        return "there is nothing to do"
    if found.unknown:
        return f"not known: no earlier {found.unknown} in this folder was on this machine"
    parts = {"training": found.training, "scoring": found.scoring}
    listed = ", ".join(f"{part} {duration(seconds)}" for part, seconds in parts.items())
    return (
        f"about {duration(sum(parts.values()))} on {found.workers} workers ({listed}), judged by "
        f"{found.trials} trials that this machine trained earlier"
    )


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for place, title in enumerate(titles):
        table.add_column(title, justify="left" if place < 2 else "right")
    return table

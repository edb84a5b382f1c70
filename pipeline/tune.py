"""DVC stage ``tune``: train every trial of the study that is not finished.

The run folders show which trials are finished; these are skipped. So a new seed, β or family trains the new
trials alone, and an interrupted study goes on where it stopped. Ray Tune schedules the others in packs
(``pipeline.training.assignment``), as many at a time as the machines allow. A failed trial is tried again
from its last checkpoint, and then left for the next ``dvc repro``; the other trials go on.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.errors import UserError, user_errors
from pipeline.scoring.score_cache import kept, requested
from pipeline.store.layout import PARAMS_FILE, Store
from pipeline.store.ready import Ready
from pipeline.study.expansion import expand
from pipeline.study.model import build
from pipeline.study.params import Params, check_training, load
from pipeline.study.trial import Trial
from pipeline.tracking.sync import sync_runs, sync_scores
from pipeline.tracking.tracker import Tracker
from pipeline.training.tuner import train_trials

__all__ = ["main", "read_data"]


def read_data(params: Params, store: Store) -> dict[str, Ready]:
    """Every data set of the study, after a comparison of its bytes with its checksum."""
    return {name: store.read_ready(name, verify=True) for name in params.datasets}


def check_models(trials: Sequence[Trial], ready: Mapping[str, Ready]) -> None:
    """Build one model of each kind, so that an impossible one is reported before anything is trained.

    Raises:
        UserError: a model cannot be built.
    """
    kinds = {json.dumps({**trial.config(), "seed": 0}, sort_keys=True): trial for trial in trials}
    for trial in kinds.values():
        try:
            build(trial, ready[trial.dataset])
        except ValueError as error:
            raise UserError(f"{PARAMS_FILE}: {trial.dataset}, {trial.family}: {error}") from None


def main() -> None:
    params, store = load(), Store(Path.cwd())
    check_training(params)
    ready = read_data(params, store)
    trials = expand(params, ready)
    pending = [trial for trial in trials if store.result(trial.dataset, trial.key) is None]
    started = [trial for trial in pending if (store.run(trial.dataset, trial.key) / "checkpoint.pt").exists()]
    print(
        f"tune: {len(trials)} trials: {len(trials) - len(pending)} finished earlier, {len(pending)} to train"
        + (f", {len(started)} of them from a checkpoint" if started else ""),
        flush=True,
    )
    tracker = Tracker.open(params.tracking.uri, params.study, store.root)
    if pending:
        check_models(pending, ready)
        # The largest trials first: the last ones to start are short, and no core is idle for long at the end.
        pixels = {name: math.prod(data.shape) for name, data in ready.items()}

        def cost(trial: Trial) -> float:
            return float(pixels[trial.dataset] * trial.training.batch_size)

        pending.sort(key=lambda trial: -trial.training.steps * cost(trial))
        train_trials(pending, cost, params, store, tracker)
    report(trials, store)  # before the runs are logged, since the MLflow store may fail
    sync_runs(tracker, trials, store)
    # Log scores here too: if the MLflow store is new, they are missing, and DVC may skip `evaluate`.
    finished = [trial for trial in trials if store.is_finished(trial.dataset, trial.key)]
    requests = requested(params, ready, finished)
    scores = {trial.key: kept(trial, requests[trial.key], store) for trial in finished}
    sync_scores(tracker, scores, finished, store)
    check_complete(trials, store)


def report(trials: Sequence[Trial], store: Store) -> None:
    """Print which trials diverged, which failed and why, and how many are complete."""
    complete = 0
    for trial in trials:
        result, failure = store.result(trial.dataset, trial.key), store.failure(trial.dataset, trial.key)
        if result is not None:
            complete += 1
            if result["status"] == "diverged":
                print(f"tune: diverged at step {result['diverged_at']}: {trial.dataset} {trial.name}")
        elif failure is not None:
            log = store.run(trial.dataset, trial.key).relative_to(store.root) / "trial.log"
            print(
                f"tune: failed: {trial.dataset} {trial.name}: {failure['reason']} (see {log})",
                file=sys.stderr,
            )
    print(f"tune: {complete} of {len(trials)} trials are complete", flush=True)


def check_complete(trials: Sequence[Trial], store: Store) -> None:
    """Check that every trial has a result or has failed, and that not all have failed.

    Raises:
        UserError: the study was interrupted, or every trial failed.
    """
    unfinished = [trial for trial in trials if store.result(trial.dataset, trial.key) is None]
    interrupted = [trial for trial in unfinished if store.failure(trial.dataset, trial.key) is None]
    if interrupted:
        raise UserError(
            f"interrupted: {len(interrupted)} trials are not finished. `dvc repro` goes on with them."
        )
    if len(unfinished) == len(trials):
        raise UserError(
            "every trial failed. Correct the first reason above, then `dvc repro` tries them again."
        )
    if unfinished:
        print(f"tune: the next `dvc repro` tries the {len(unfinished)} failed trials again", flush=True)


if __name__ == "__main__":
    with user_errors("tune"):
        main()

"""DVC stage ``tune``: train every trial of the study that is not finished, as many at a time as the machines allow.

Ray Tune schedules packs of trials (``pipeline.training.assignment``); what is skipped is decided here, per trial, by the run folders. So
adding a seed, a β or a family trains just that, and an interrupted study goes on where it stopped. A failed trial is
retried from its last checkpoint, then left for the next ``dvc repro``; the others go on.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.errors import UserError, user_errors
from pipeline.scoring.score_cache import asked, kept
from pipeline.store.layout import Store
from pipeline.store.ready import Ready
from pipeline.study.expansion import expand
from pipeline.study.model import build
from pipeline.study.params import Params, check_training, load
from pipeline.study.trial import Trial
from pipeline.tracking.tracker import Tracker, log_scores
from pipeline.training.tuner import train_trials

__all__ = ["main", "read_data"]


def read_data(params: Params, store: Store) -> dict[str, Ready]:
    """Every data set of the study, its bytes compared with its checksum."""
    return {name: store.read_ready(name, verify=True) for name in params.datasets}


def check_models(trials: Sequence[Trial], ready: Mapping[str, Ready]) -> None:
    """Build one model of each kind, so that what cannot be built is said before anything is trained."""
    kinds = {json.dumps({**trial.config(), "seed": 0}, sort_keys=True): trial for trial in trials}
    for trial in kinds.values():
        try:
            build(trial, ready[trial.dataset])
        except ValueError as error:
            raise UserError(f"params.yaml: {trial.dataset}, {trial.family}: {error}") from None


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
        # The largest first: the last trials to start are short, and no core waits long at the end.
        pixels = {name: math.prod(data.shape) for name, data in ready.items()}

        def cost(trial: Trial) -> float:
            return float(pixels[trial.dataset] * trial.training.batch_size)

        pending.sort(key=lambda trial: -trial.training.steps * cost(trial))
        train_trials(pending, cost, params, store, tracker)
    tell(trials, store)  # before MLflow has its say: its store may be gone by now
    tracker.sync(trials, store)
    # Where the MLflow store is a new one, the scores that there are go with the runs: `evaluate` may have nothing to do.
    finished = [trial for trial in trials if store.is_finished(trial.dataset, trial.key)]
    wanted = asked(params, ready, finished)
    scores = {trial.key: kept(trial, wanted[trial.key], store) for trial in finished}
    log_scores(scores, finished, store, tracker)
    judge(trials, store)


def tell(trials: Sequence[Trial], store: Store) -> None:
    """Say how the study stands: what diverged, what failed and why, how many trials are complete."""
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


def judge(trials: Sequence[Trial], store: Store) -> None:
    """Whether the next stage may go on with what there is.

    Raises:
        UserError: the study was interrupted, or nothing of it succeeded.
    """
    unfinished = [trial for trial in trials if store.result(trial.dataset, trial.key) is None]
    interrupted = [trial for trial in unfinished if store.failure(trial.dataset, trial.key) is None]
    if interrupted:
        raise UserError(
            f"interrupted: {len(interrupted)} trials did not run to their end. `dvc repro` goes on with them."
        )
    if len(unfinished) == len(trials):
        raise UserError("every trial failed. Cure the first reason above, then `dvc repro` retries them.")
    if unfinished:
        print(f"tune: `dvc repro` again retries the {len(unfinished)} that failed", flush=True)


if __name__ == "__main__":
    with user_errors("tune"):
        main()

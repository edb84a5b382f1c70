"""DVC stage ``evaluate``: score every trained model, each (trial, metric) once.

``pipeline.scoring.score_cache`` decides per trial and per metric what is missing: adding a metric computes
that metric for all trials, and nothing else. Ray computes as many at a time as fit
(``pipeline.scoring.scheduler``). Each score is written as soon as it is computed, so an interruption costs
the running tasks alone. At the end the stage lists failures and fails; running it again tries only these
again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.cluster.connection import connect
from pipeline.errors import UserError, user_errors
from pipeline.scoring.scheduler import outcomes
from pipeline.scoring.score_cache import Work, keep, kept, plan, requested, table
from pipeline.store.layout import Store
from pipeline.store.ready import Ready
from pipeline.study.applicability import left_out
from pipeline.study.expansion import expand
from pipeline.study.params import Params, check_training, load
from pipeline.tracking.sync import sync_runs, sync_scores
from pipeline.tracking.tracker import Tracker

__all__ = ["evaluate_trials", "main"]

SHOWN = 20
"""Failures that are listed one by one: a screen of them."""


def evaluate_trials(
    work: Sequence[Work], params: Params, ready: Mapping[str, Ready], store: Store
) -> dict[str, str]:
    """Compute and keep what is missing. Returns failures: "data set, trial, metric" -> reason."""
    failures: dict[str, str] = {}
    done = 0
    with connect(params.scheduling):
        for outcome in outcomes(work, params, ready, store):
            trial = outcome.work.trial
            name = f"{trial.dataset} {trial.name}"
            if outcome.broken:
                failures[name] = outcome.broken
            else:
                failures |= {f"{name}: {metric}": reason for metric, reason in outcome.failures.items()}
                keep(outcome.work, outcome.scores, list(outcome.failures), outcome.pictures, store)
            if outcome.last:
                done += 1
                failed = sum(f"{name}: {metric}" in failures for metric in outcome.work.metrics)
                line = f"{outcome.work.description}, {outcome.seconds:.1f} s"
                line += f", {failed} failed" if failed else ""
                print(f"[{done}/{len(work)}] {name}: {'failed' if outcome.broken else line}", flush=True)
    return failures


def main() -> None:
    params, store = load(), Store(Path.cwd())
    check_training(params)
    ready = {name: store.read_ready(name, verify=True) for name in params.datasets}
    trials = expand(params, ready)
    finished = [trial for trial in trials if store.is_finished(trial.dataset, trial.key)]
    requests = requested(params, ready, finished)
    tracker = Tracker.open(params.tracking.uri, params.study, store.root)
    work = plan(finished, requests, store)
    print(
        f"evaluate: {len(finished)} trained models: {len(finished) - len(work)} scored earlier, "
        f"{len(work)} to score",
        flush=True,
    )
    for line in left_out(list(params.evaluation.metrics), finished, ready):
        print(f"evaluate: does not apply to {line}", flush=True)
    failures = evaluate_trials(work, params, ready, store) if work else {}
    scores = {trial.key: kept(trial, requests[trial.key], store) for trial in finished}
    for dataset in params.datasets:
        ours = [(trial, scores[trial.key]) for trial in finished if trial.dataset == dataset]
        store.write_scores_table(dataset, table(ours))
    sync_runs(tracker, trials, store)
    sync_scores(tracker, scores, finished, store)
    if failures:
        shown = list(failures.items())[:SHOWN]
        listing = "\n".join(f"  {name}: {reason}" for name, reason in shown)
        listing += f"\n  and {len(failures) - SHOWN} more" if len(failures) > SHOWN else ""
        raise UserError(
            f"{len(failures)} could not be computed; everything else is kept. "
            "`dvc repro` tries these again:\n"
            f"{listing}"
        )


if __name__ == "__main__":
    with user_errors("evaluate"):
        main()

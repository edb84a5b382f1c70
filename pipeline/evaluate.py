"""DVC stage ``evaluate``: score every trained model, each (trial, metric) once.

What is missing is decided per trial and per metric, by ``pipeline.scoring.score_cache``: a metric that is added is computed for all
trials, and nothing else is. Ray computes as many at a time as fit (``pipeline.scoring.scheduler``), and each score is written as it is there:
what an interruption costs is what was under way. What failed is said when the others are done, and then the stage fails: running it
again tries just that again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.cluster.connection import connect
from pipeline.errors import UserError, user_errors
from pipeline.scoring.scheduler import results
from pipeline.scoring.score_cache import Work, asked, keep, kept, plan, table
from pipeline.store.layout import Store
from pipeline.store.ready import Ready
from pipeline.study.applicability import left_out
from pipeline.study.expansion import expand
from pipeline.study.params import Params, check_training, load
from pipeline.tracking.tracker import Tracker, log_scores

__all__ = ["evaluate_trials", "main"]

SHOWN = 20
"""Failures that are told one by one: a screen of them."""


def evaluate_trials(
    work: Sequence[Work], params: Params, ready: Mapping[str, Ready], store: Store
) -> dict[str, str]:
    """Compute and keep what is missing; returns "data set, trial, metric" -> why there is no score."""
    failures: dict[str, str] = {}
    done = 0
    with connect(params.scheduling):
        for found in results(work, params, ready, store):
            trial = found.work.trial
            name = f"{trial.dataset} {trial.name}"
            if found.broken:
                failures[name] = found.broken
            else:
                failures |= {f"{name}: {metric}": reason for metric, reason in found.failures.items()}
                keep(found.work, found.scores, list(found.failures), found.pictures, store)
            if found.last:
                done += 1
                failed = sum(f"{name}: {metric}" in failures for metric in found.work.wanted)
                line = f"{found.work.description}, {found.seconds:.1f} s"
                line += f", {failed} failed" if failed else ""
                print(f"[{done}/{len(work)}] {name}: {'failed' if found.broken else line}", flush=True)
    return failures


def main() -> None:
    params, store = load(), Store(Path.cwd())
    check_training(params)
    ready = {name: store.read_ready(name, verify=True) for name in params.datasets}
    trials = expand(params, ready)
    finished = [trial for trial in trials if store.is_finished(trial.dataset, trial.key)]
    wanted = asked(params, ready, finished)
    tracker = Tracker.open(params.tracking.uri, params.study, store.root)
    work = plan(finished, wanted, store)
    print(
        f"evaluate: {len(finished)} trained models: {len(finished) - len(work)} scored earlier, "
        f"{len(work)} to score",
        flush=True,
    )
    for line in left_out(list(params.evaluation.metrics), finished, ready):
        print(f"evaluate: does not apply to {line}", flush=True)
    failures = evaluate_trials(work, params, ready, store) if work else {}
    scores = {trial.key: kept(trial, wanted[trial.key], store) for trial in finished}
    for dataset in params.datasets:
        ours = [(trial, scores[trial.key]) for trial in finished if trial.dataset == dataset]
        store.write_scores_table(dataset, table(ours))
    tracker.sync(trials, store)
    log_scores(scores, finished, store, tracker)
    if failures:
        shown = list(failures.items())[:SHOWN]
        listing = "\n".join(f"  {name}: {reason}" for name, reason in shown)
        listing += f"\n  and {len(failures) - SHOWN} more" if len(failures) > SHOWN else ""
        raise UserError(
            f"{len(failures)} could not be computed; everything else is kept, and `dvc repro` tries these again:\n"
            f"{listing}"
        )


if __name__ == "__main__":
    with user_errors("evaluate"):
        main()

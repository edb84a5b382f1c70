"""DVC stage ``evaluate``: score every trained model, each (trial, metric) once.

What is missing is decided per trial and per metric, by ``pipeline.scores``: a metric that is added is computed for all
trials, and nothing else is. Trials go through Ray, as many at a time as fit; each is written as it is done. What some of
them failed at is said when the others are done, and then the stage fails: running it again tries just that again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.cluster import connect
from pipeline.errors import UserError, user_errors
from pipeline.params import Params, check_training, load
from pipeline.scores import Work, asked, kept, log_scores, plan, table, update
from pipeline.store import Store
from pipeline.tracking import Tracker
from pipeline.trial import expand

__all__ = ["evaluate_trials", "main"]

SHOWN = 20
"""Failures that are told one by one: a screen of them."""


def evaluate_trials(work: Sequence[Work], params: Params, store: Store) -> dict[str, str]:
    """Compute and keep what is missing; returns "data set, trial, metric" -> why there is no score."""
    failures: dict[str, str] = {}
    with connect(params.scheduling):
        for done, (item, outcome) in enumerate(_outcomes(work, params, store), 1):
            name = f"{item.trial.dataset} {item.trial.name}"
            line = f"[{done}/{len(work)}] {name}: "
            if isinstance(outcome, BaseException):
                text = str(outcome).strip() or "no message"
                kind = "" if isinstance(outcome, UserError) else f"{type(outcome).__name__}: "
                failures[name] = kind + text.splitlines()[0]
                line += "failed"
            else:
                update(item, outcome.scores, outcome.pictures, store)
                failures |= {f"{name}: {metric}": reason for metric, reason in outcome.failures.items()}
                line += f"{item.description}, {outcome.seconds:.1f} s"
                line += f", {len(outcome.failures)} failed" if outcome.failures else ""
            print(line, flush=True)
    return failures


def _outcomes(work: Sequence[Work], params: Params, store: Store) -> Iterator[tuple[Work, Any]]:
    """(work, outcome or exception) as trials are done; Ray holds about two waves of them at a time."""
    import ray

    from pipeline.scorer import evaluate_trial

    shares = params.scheduling
    decorate: Any = ray.remote(  # its own types know positional arguments only
        max_calls=0,  # Ray ends a process that used a GPU after one, and it takes seconds to import for the next
        max_retries=shares.retries,
        num_cpus=shares.cpu,
        num_gpus=shares.gpu,
    )
    task = decorate(evaluate_trial)
    wave = int(2 * ray.cluster_resources().get("CPU", 1) / shares.cpu) + 1
    waiting = iter(work)
    running: dict[Any, Work] = {}
    while True:
        while len(running) < wave and (item := next(waiting, None)) is not None:
            reference = task.remote(
                item.trial.config(),
                {name: metric.settings for name, metric in item.wanted.items()},
                draw=item.draw,
                root=str(store.root),
                batch_size=params.evaluation.batch_size,
                scheduling=shares.model_dump(),
            )
            running[reference] = item
        if not running:
            return
        for reference in ray.wait(list(running))[0]:
            item = running.pop(reference)
            try:
                yield item, ray.get(reference)
            except ray.exceptions.RayTaskError as error:
                yield item, error.cause or error
            except ray.exceptions.RayError as error:
                yield item, error


def main() -> None:
    params, store = load(), Store(Path.cwd())
    check_training(params)
    ready = {name: store.read_ready(name, verify=True) for name in params.datasets}
    trials = expand(params, ready)
    wanted = asked(params, ready)
    finished = [trial for trial in trials if store.is_finished(trial.dataset, trial.key)]
    tracker = Tracker.open(params.tracking.uri, params.study, store.root)
    work = plan(finished, wanted, store)
    print(
        f"evaluate: {len(finished)} trained models: {len(finished) - len(work)} scored earlier, "
        f"{len(work)} to score",
        flush=True,
    )
    failures = evaluate_trials(work, params, store) if work else {}
    scores = {trial.key: kept(trial, wanted[trial.dataset], store) for trial in finished}
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

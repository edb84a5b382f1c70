"""Ray Tune over packs of trials: as many workers at a time as the machines allow."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from functools import partial

from pipeline.cluster.connection import connect
from pipeline.store.layout import Store
from pipeline.study.params import Params
from pipeline.study.trial import Trial
from pipeline.training.assignment import packs
from pipeline.training.recorder import Recorder

__all__ = ["train_trials"]


def train_trials(
    trials: Sequence[Trial], cost: Callable[[Trial], float], params: Params, store: Store, tracker: Recorder
) -> None:
    """Train ``trials``; how each ended is in its run folder, whatever happened here."""
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # with verbose=0, this one is silent
    os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
    scheduling = params.scheduling
    failures = {trial.key: store.failure(trial.dataset, trial.key) or {} for trial in trials}
    # Retries are per trial, and of this run: where its count of failed attempts arrives here, a trial is left alone.
    last_attempt = {
        key: failure.get("attempts", 0) + scheduling.retries + 1 for key, failure in failures.items()
    }
    with connect(scheduling) as slots, tempfile.TemporaryDirectory(prefix="betabench-tune-") as scratch:
        from ray import tune

        from pipeline.training.driver import StudyCallback
        from pipeline.training.worker import trainable

        # What went wrong with a trial is said once, by us.
        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
        packed = packs(
            trials,
            lambda trial: trial.training.steps * cost(trial),
            scheduling,
            slots=slots,
            failures=failures,
        )
        longest = max(map(len, packed))
        if longest > 1:
            print(f"tune: {len(packed)} packs of up to {longest} trials", flush=True)
        function = partial(
            trainable,
            root=str(store.root),
            scheduling=scheduling.model_dump(),
            last_attempt=last_attempt,
        )
        callback = StudyCallback(trials, cost, store, tracker, last_attempt)
        tuner = tune.Tuner(
            tune.with_resources(function, {"cpu": scheduling.cpu, "gpu": scheduling.gpu}),
            param_space={"trials": tune.grid_search([[trial.config() for trial in pack] for pack in packed])},
            tune_config=tune.TuneConfig(
                reuse_actors=True, trial_dirname_creator=lambda trial: trial.trial_id
            ),
            run_config=tune.RunConfig(
                name="study",
                # Nothing of lasting worth: finished trials and checkpoints are in the run folders.
                storage_path=scratch,
                # As often as it takes until every trial of a pack has had its retries: each attempt costs one of some trial's.
                failure_config=tune.FailureConfig(max_failures=longest * (scheduling.retries + 1) - 1),
                callbacks=[callback],
                verbose=0,
            ),
        )
        try:
            tuner.fit()
        finally:
            callback.close()

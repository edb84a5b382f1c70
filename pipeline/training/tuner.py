"""Train a study with Ray Tune: packs of trials, as many workers at a time as the machines allow."""

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
from pipeline.training.assignment import assign
from pipeline.training.recorder import Recorder

__all__ = ["train_trials"]


def train_trials(
    trials: Sequence[Trial], cost: Callable[[Trial], float], params: Params, store: Store, recorder: Recorder
) -> None:
    """Train ``trials``; the run folder of each holds its result or failure.

    Args:
        cost: the amount of computation of one step of a trial, in any unit.
    """
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # with verbose=0, the old output is silent
    os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
    scheduling = params.scheduling
    failures = {trial.key: store.failure(trial.dataset, trial.key) or {} for trial in trials}
    # Retries are counted per trial and per run of this stage.
    last_attempt = {
        key: failure.get("attempts", 0) + scheduling.retries + 1 for key, failure in failures.items()
    }
    with connect(scheduling) as slots, tempfile.TemporaryDirectory(prefix="betabench-tune-") as scratch:
        from ray import tune

        from pipeline.training.driver import StudyCallback
        from pipeline.training.worker import trainable

        # The callback reports failures; Ray Tune would report them a second time.
        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
        packs = assign(
            trials,
            lambda trial: trial.training.steps * cost(trial),
            scheduling,
            slots=slots,
            failures=failures,
        )
        longest = max(map(len, packs))
        if longest > 1:
            print(f"tune: {len(packs)} packs of up to {longest} trials", flush=True)
        function = partial(
            trainable,
            root=str(store.root),
            scheduling=scheduling.model_dump(),
            last_attempt=last_attempt,
        )
        callback = StudyCallback(trials, cost, store, recorder, last_attempt)
        tuner = tune.Tuner(
            tune.with_resources(function, {"cpu": scheduling.cpu, "gpu": scheduling.gpu}),
            param_space={"trials": tune.grid_search([[trial.config() for trial in pack] for pack in packs])},
            tune_config=tune.TuneConfig(
                reuse_actors=True, trial_dirname_creator=lambda trial: trial.trial_id
            ),
            run_config=tune.RunConfig(
                name="study",
                # Removed afterwards: results and checkpoints are in the run folders.
                storage_path=scratch,
                # Enough for every trial of a pack to have its retries: each failure is one trial's, at least.
                failure_config=tune.FailureConfig(max_failures=longest * (scheduling.retries + 1) - 1),
                callbacks=[callback],
                verbose=0,
            ),
        )
        try:
            tuner.fit()
        finally:
            callback.close()

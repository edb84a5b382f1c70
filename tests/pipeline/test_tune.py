"""Whether the stage after `tune` may run: not if the study was interrupted, or nothing of it succeeded."""

from __future__ import annotations

import pytest

from pipeline.errors import UserError
from pipeline.store.layout import Store
from pipeline.training.pack import train
from pipeline.training.run import record_failure
from pipeline.tune import check_complete
from tests.pipeline.small_trials import make_trial


def test_a_study_goes_on_unless_it_was_interrupted_or_everything_failed(
    digits_store: Store, capsys: pytest.CaptureFixture[str]
):
    trials = [make_trial(seed=seed) for seed in range(2)]
    with pytest.raises(UserError, match="interrupted: 2 trials are not finished"):
        check_complete(trials, digits_store)
    for trial in trials:
        record_failure(trial, digits_store, "RuntimeError: broken", "Traceback ...")
    with pytest.raises(UserError, match="every trial failed"):
        check_complete(trials, digits_store)
    list(train(trials[:1], digits_store))
    check_complete(trials, digits_store)
    assert "the next `dvc repro` tries the 1 failed trials again" in capsys.readouterr().out

"""The effect of a model setting over pairs of trials; remarks on trials of different precisions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.reporting.account import mixed_precision
from pipeline.reporting.findings import contrasts
from pipeline.reporting.outcome import Study
from pipeline.reporting.summary import estimate
from pipeline.store.layout import Store
from pipeline.study.params import load
from pipeline.study.settings import group
from pipeline.study.trial import Trial
from tests.pipeline.small_study import configure, prepare, trials_of


def study_of(
    tmp_path: Path, score: Callable[[Trial], float], precision: Callable[[Trial], str], **model: Any
) -> Study:
    """A study of made-up trials: ``score`` is a trial's negative ELBO, ``precision`` its precision."""
    configure(
        ["negative_elbo"],
        families={"vae": {}, "beta_vae": {"beta": [1, 4]}},
        seeds=[0, 1, 2],
        model={"network": {"name": "mlp", "hidden": [16]}, "latents": 3, **model},
    )
    store = Store(tmp_path)
    prepare(store)
    params = load()
    trials = trials_of(params, store)
    names = {trial.key: setting for setting in group(trials) for trial in setting.trials}
    scores = pd.DataFrame(
        {
            "dataset": trial.dataset,
            "family": names[trial.key].family,
            "setting": names[trial.key].name,
            "seed": trial.seed,
            "key": trial.key,
            "split": "test",
            "metric": "negative_elbo",
            "value": score(trial),
        }
        for trial in trials
    )
    results = {trial.key: {"status": "finished", "precision": precision(trial)} for trial in trials}
    return Study(params, {"digits": store.read_ready("digits")}, trials, results, {}, scores)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def always(trial: Trial) -> str:
    return "float32"


def test_the_mean_difference_is_over_pairs_that_differ_in_one_setting(tmp_path: Path):
    strength = {"vae": 0.0, "beta_vae": 50.0}

    def score(trial: Trial) -> float:
        """Settings and seeds differ much; Kaiming's initialization makes the score 2 to 4 nats lower."""
        beta = float(trial.hyper.get("beta", 0))
        gap = 2.0 + trial.seed if trial.initialization == "kaiming" else 0.0
        return 100 + strength[trial.family] + 10 * beta + 7 * trial.seed - gap

    study = study_of(tmp_path, score, always, initialization=["tensorflow", "kaiming"])
    (sentence,) = contrasts(study, "digits")
    half = estimate([-2.0, -3.0, -4.0] * 3).half_width
    assert half is not None
    assert sentence == (
        f"initialization kaiming instead of tensorflow: negative ELBO −3.00 ± {half:.2f} nats, "
        "the mean over 9 pairs of trials that differ in nothing else; lower in 9 of them"
    )


def test_every_further_value_is_compared_with_the_first(tmp_path: Path):
    study = study_of(tmp_path, lambda trial: 100.0 + trial.latents, always, latents=[3, 5, 8])
    found = contrasts(study, "digits")
    assert [sentence.partition(":")[0] for sentence in found] == [
        "latents 5 instead of 3",
        "latents 8 instead of 3",
    ]
    assert "+2 ± 0 nats" in found[0]
    assert "lower in 0 of them" in found[0]


def test_likelihoods_and_single_values_are_not_compared(tmp_path: Path):
    sigmas = [{"name": "gaussian", "sigma": sigma} for sigma in (0.1, 0.2)]
    assert contrasts(study_of(tmp_path, lambda trial: 1.0, always, likelihood=sigmas), "digits") == []
    assert contrasts(study_of(tmp_path, lambda trial: 1.0, always), "digits") == []


def test_pairs_without_a_finite_value_do_not_count(tmp_path: Path):
    def score(trial: Trial) -> float:
        return np.inf if trial.seed == 1 else 100.0 - trial.latents

    (sentence,) = contrasts(study_of(tmp_path, score, always, latents=[3, 4]), "digits")
    assert "the mean over 6 pairs" in sentence


def test_trials_of_one_model_that_computed_in_different_precisions_are_named(tmp_path: Path):
    def precision(trial: Trial) -> str:
        """bfloat16 in all trials of beta_vae's larger model but one; float32 in all others."""
        moved = trial.family == "beta_vae" and not trial.untrained and trial.latents == 8
        return "bfloat16" if moved and not (trial.seed == 2 and trial.hyper["beta"] == 4) else "float32"

    study = study_of(tmp_path, lambda trial: 1.0, precision, latents=[3, 8])
    (sentence,) = mixed_precision(study)
    assert sentence.startswith(
        "beta_vae on digits: trials computed in different precisions (bfloat16 in 5, float32 in 1)"
    )
    assert "Set training.precision" in sentence
    assert mixed_precision(study_of(tmp_path, lambda trial: 1.0, always, latents=[3, 8])) == []

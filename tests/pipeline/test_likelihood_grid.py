"""A study of several likelihoods: its trials, their names, the settings of its report; the data set's own noise."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import UserError
from pipeline.params import Params
from pipeline.report import scores_csv
from pipeline.store import Store
from pipeline.study import BASELINE, group, read
from pipeline.trial import Trial, expand
from tests.pipeline.small_study import configure, prepare, train_all, trials_of

SIGMAS = (0.1, 0.2)


def expanded(store: Store, likelihood: Any, noise: float | None = None) -> list[Trial]:
    from pipeline.params import load

    configure(
        ["rate"], model={"network": {"name": "mlp", "hidden": [16]}, "latents": 3, "likelihood": likelihood}
    )
    params: Params = load()
    prepare(store)
    ready = store.read_ready("digits")
    if noise is not None:
        ready = replace(ready, meta={**ready.meta, "noise_sigma": noise})
    return expand(params, {"digits": ready})


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.chdir(tmp_path)
    return Store(tmp_path)


def gaussian(sigma: Any) -> dict[str, Any]:
    return {"name": "gaussian", "sigma": sigma}


def test_every_trial_comes_with_every_likelihood(store: Store):
    trials = expanded(store, [gaussian(sigma) for sigma in SIGMAS])
    one = expanded(store, gaussian(SIGMAS[0]))
    assert len(trials) == 2 * len(one)
    assert len({trial.key for trial in trials}) == len(trials)
    assert {trial.key for trial in one} < {trial.key for trial in trials}, (
        "what was trained before is known again"
    )


def test_settings_are_told_apart_by_sigma(store: Store):
    settings = group(expanded(store, [gaussian(sigma) for sigma in SIGMAS]))
    labels = {setting.name: setting.label for setting in settings}
    assert labels == {
        "ae sigma=0.1": "σ = 0.1",
        "ae sigma=0.2": "σ = 0.2",
        "beta_vae beta=1 sigma=0.1": "β = 1, σ = 0.1",
        "beta_vae beta=1 sigma=0.2": "β = 1, σ = 0.2",
        "beta_vae beta=4 sigma=0.1": "β = 4, σ = 0.1",
        "beta_vae beta=4 sigma=0.2": "β = 4, σ = 0.2",
        "untrained 0.1": "σ = 0.1",
        "untrained 0.2": "σ = 0.2",
    }
    assert [setting.family for setting in settings].count(BASELINE) == 2


def test_one_likelihood_leaves_labels_as_they_are(store: Store):
    settings = group(expanded(store, gaussian(0.1)))
    assert [setting.label for setting in settings] == ["", "β = 1", "β = 4", ""]
    assert settings[-1].name == BASELINE


def test_the_datas_own_noise_is_taken_where_it_is_known(store: Store):
    trials = expanded(store, gaussian("data"), noise=0.03)
    assert {trial.likelihood["sigma"] for trial in trials} == {0.03}  # type: ignore[index]
    with pytest.raises(
        UserError, match=re.escape("model.likelihood: digits: 'sigma: data' is the data set's own noise")
    ):
        expanded(store, gaussian("data"))


def test_such_a_study_is_trained_scored_and_reported(store: Store):
    from pipeline import evaluate, report
    from pipeline.params import load

    expanded(store, [gaussian(sigma) for sigma in SIGMAS])
    train_all(store)
    evaluate.main()
    report.main()
    study = read(load(), store)
    assert len(trials_of(load(), store)) == 8
    table = scores_csv(study)
    assert table["setting"].nunique() == 8
    page = (store.reports / "index.html").read_text()
    assert "β = 4, σ = 0.2" in page

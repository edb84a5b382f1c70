"""A study of several likelihoods: its trials, their names, the settings of its report; the data set's own noise."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import metrics
from pipeline.errors import UserError
from pipeline.figures.rate_distortion import rate_distortion
from pipeline.findings import best_values, trends
from pipeline.params import Params
from pipeline.report import scores_csv
from pipeline.scoring import seed_of
from pipeline.store import Store
from pipeline.study import BASELINE, group, read
from pipeline.summary import estimates, summarise
from pipeline.trial import Trial, expand, images_of, load_model
from tests.pipeline.small_study import configure, prepare, train_all

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
    """Distortions by another σ are another quantity: trends and lines are within one σ, baselines too."""
    from pipeline import evaluate, report
    from pipeline.params import load

    likelihoods = [gaussian(sigma) for sigma in SIGMAS]
    model = {"network": {"name": "mlp", "hidden": [16]}, "latents": 3, "likelihood": likelihoods}
    configure(["rate", "distortion", "negative_elbo", "mse", "r2", "mig"], model=model)
    prepare(store)
    plain = store.read_ready("digits")
    attributes = np.random.default_rng(0).normal(size=(len(plain), 2)).astype(np.float32)
    pixels = plain.images.reshape(len(plain), -1).astype(np.float64)
    attributes[:, 0] = pixels @ np.linalg.svd(pixels - pixels.mean(axis=0), full_matrices=False)[2][0]
    meta = {"shape": [1, 8, 8], "storage": "uint8", "attribute_names": ["component", "noise"]}
    store.write_ready("digits", images=plain.images, attributes=attributes, split=plain.split, meta=meta)
    trial = train_all(store)[0]
    evaluate.main()

    # continuous attributes are the factors of the metrics that take numbers, and of no other
    table = store.scores_table("digits")
    assert table is not None
    assert "mig" not in set(table["metric"])
    found = table[table["key"] == trial.key].set_index("metric")["value"]
    ready = store.read_ready("digits")
    codes, _ = load_model(trial, ready, store).autoencoder.encode(images_of(ready).batch(torch.arange(300)))
    rng = np.random.default_rng(seed_of(trial.key, "r2"))
    expected = metrics.function("r2")(codes.detach().numpy(), attributes, rng, test=ready.test)
    assert found["r2_0"] == pytest.approx(expected["r2_0"], abs=1e-6)
    assert found["r2_0"] > found["r2_1"]
    report.main()
    study = read(load(), store)
    assert scores_csv(study)["setting"].nunique() == 8
    page = (store.reports / "index.html").read_text()
    assert "β = 4, σ = 0.2" in page

    sentences = [sentence for family, sentence in trends(study, "digits") if family == "beta_vae"]
    assert [sentence.partition(":")[0] for sentence in sentences] == ["σ = 0.1, β 1 → 4", "σ = 0.2, β 1 → 4"]
    (headline,) = (
        best
        for best in best_values(study, summarise(study, "digits"))
        if best.column.metric == "negative_elbo"
    )
    untrained = estimates(study, "digits", "negative_elbo")[f"{BASELINE} {headline.setting.noise}"]
    assert float(headline.baseline.replace(",", "")) == pytest.approx(untrained.mean, rel=0.01)
    figure = rate_distortion(study, "digits")
    assert figure is not None
    lines = [trace for trace in figure.data if trace.name == "beta_vae"]
    assert [len(trace.x) for trace in lines] == [2, 2]
    assert [trace.showlegend for trace in lines] == [True, False]

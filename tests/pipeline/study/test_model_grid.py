"""A study of several models: networks, latents, likelihoods, ...; its trials, their names, its report."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import metrics
from pipeline import evaluate, report, tune
from pipeline.errors import UserError
from pipeline.reporting.figures.rate_distortion import rate_distortion
from pipeline.reporting.files import scores_csv
from pipeline.reporting.findings import best_values, trends
from pipeline.reporting.outcome import read
from pipeline.reporting.summary import estimates, summarise
from pipeline.scoring.computation import seed_of
from pipeline.store.layout import Store
from pipeline.store.ready import Ready
from pipeline.study.expansion import expand
from pipeline.study.model import images_of, load_model
from pipeline.study.model_settings import Model
from pipeline.study.params import load
from pipeline.study.settings import BASELINE, group
from pipeline.study.trial import Trial
from tests.pipeline.small_study import configure, prepare, train_all
from tests.vaecore.small import encode
from vaecore.batch import Batch
from vaecore.families import reference

SIGMAS = (0.1, 0.2)
PLAIN: dict[str, Any] = {"network": {"name": "mlp", "hidden": [16]}, "latents": 3}


def expanded(store: Store, noise: float | None = None, **model: Any) -> list[Trial]:
    configure(["rate"], model=PLAIN | model)
    params = load()
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


NOISE = {"name": "noise", "sigma": 0.3}
GRIDS: dict[str, tuple[list[Any], list[str], list[str]]] = {
    "network": (
        [{"name": "mlp", "hidden": [16]}, {"name": "mlp", "hidden": []}],
        ["network=mlp(16)", "network=mlp(linear)"],
        ["network = mlp(16)", "network = mlp(linear)"],
    ),
    "initialization": (
        ["tensorflow", "orthogonal"],
        ["initialization=tensorflow", "initialization=orthogonal"],
        ["initialization = tensorflow", "initialization = orthogonal"],
    ),
    "latents": ([2, 5], ["latents=2", "latents=5"], ["L = 2", "L = 5"]),
    "likelihood": (
        [gaussian(sigma) for sigma in SIGMAS],
        ["sigma=0.1", "sigma=0.2"],
        ["σ = 0.1", "σ = 0.2"],
    ),
    "corruption": (
        ["none", NOISE],
        ["corruption=none", "corruption=noise(0.3)"],
        ["corruption = none", "corruption = noise(0.3)"],
    ),
}
"""Setting of the model -> two values, what names have of each, what labels have."""


def test_every_setting_of_a_model_is_tried_here():
    assert set(GRIDS) == set(Model.model_fields)


@pytest.mark.parametrize("setting", GRIDS)
def test_every_trial_comes_with_every_value(store: Store, setting: str):
    values, *_ = GRIDS[setting]
    trials = expanded(store, **{setting: values})
    one = expanded(store, **{setting: values[0]})
    assert len(trials) == 2 * len(one)
    assert len({trial.key for trial in trials}) == len(trials)
    assert {trial.key for trial in one} < {trial.key for trial in trials}, (
        "what was trained before is known again"
    )
    assert {trial.varied for trial in trials} == {(setting,)}
    assert len({trial.name for trial in trials}) == len(trials)


@pytest.mark.parametrize("setting", GRIDS)
def test_settings_are_named_by_what_is_varied(store: Store, setting: str):
    values, written, shown = GRIDS[setting]
    settings = group(expanded(store, **{setting: values}))
    labels = {each.name: each.label for each in settings}
    expected = {"ae": "", "beta_vae beta=1": "β = 1, ", "beta_vae beta=4": "β = 4, ", BASELINE: ""}
    assert labels == {
        f"{name} {own}": f"{label}{symbol}"
        for name, label in expected.items()
        for own, symbol in zip(written, shown, strict=True)
    }
    assert [each.family for each in settings].count(BASELINE) == 2
    assert [each.variant for each in settings] == shown * 4
    for each in settings:
        name = each.name
        if each.family == BASELINE:
            name = f"{reference()} {name.removeprefix(BASELINE).strip()} untrained"
        assert [trial.name for trial in each.trials] == [f"{name} seed=0"]


@pytest.mark.parametrize("setting", GRIDS)
def test_one_value_leaves_labels_as_they_are(store: Store, setting: str):
    settings = group(expanded(store, **{setting: GRIDS[setting][0][-1:]}))
    assert [each.label for each in settings] == ["", "β = 1", "β = 4", ""]
    assert [each.variant for each in settings] == [""] * 4
    assert settings[-1].name == BASELINE


def test_several_grids_are_combined(store: Store):
    grids = {name: GRIDS[name][0] for name in ("latents", "likelihood", "corruption")}
    settings = group(expanded(store, **grids))
    assert len(settings) == 4 * 2**3
    assert len({each.name for each in settings}) == len(settings)
    assert settings[0].name == "ae latents=2 corruption=none sigma=0.1"
    assert settings[0].label == settings[0].variant == "L = 2, corruption = none, σ = 0.1"
    assert settings[-1].name == f"{BASELINE} latents=5 corruption=noise(0.3) sigma=0.2"


def test_several_kinds_of_likelihood_are_named(store: Store):
    settings = group(expanded(store, likelihood=["bernoulli", gaussian(0.1), gaussian("learned")]))
    names = [each.name for each in settings]
    assert len(set(names)) == len(settings) == 12
    assert names[:3] == ["ae likelihood=bernoulli", "ae sigma=0.1", "ae sigma=learned"]
    kinds = ["bernoulli", "gaussian(0.1)", "gaussian(learned)"]
    assert [each.variant for each in settings] == [f"likelihood = {kind}" for kind in kinds] * 4
    assert [each.label for each in settings[:4]] == [
        *(f"likelihood = {kind}" for kind in kinds),
        "β = 1, likelihood = bernoulli",
    ]
    assert names[-3:] == [f"{BASELINE} likelihood={kind}" for kind in kinds]


def test_a_gaussian_likelihood_alone_is_named_by_its_sigma(store: Store):
    settings = group(expanded(store, likelihood=[gaussian(0.1), gaussian("learned")]))
    assert [each.variant for each in settings] == ["σ = 0.1", "σ = learned"] * 4
    assert [each.label for each in settings[:3]] == ["σ = 0.1", "σ = learned", "β = 1, σ = 0.1"]
    assert [each.name for each in settings[-2:]] == [f"{BASELINE} sigma=0.1", f"{BASELINE} sigma=learned"]


@pytest.mark.parametrize("setting", GRIDS)
def test_a_model_of_each_kind_is_built_before_anything_is_trained(
    store: Store, setting: str, monkeypatch: pytest.MonkeyPatch
):
    trials = expanded(store, **{setting: GRIDS[setting][0]})
    ready = {"digits": store.read_ready("digits")}
    built: list[Trial] = []
    monkeypatch.setattr(tune, "build", lambda trial, ready: built.append(trial))
    tune.check_models([replace(trial, seed=seed) for trial in trials for seed in (0, 1)], ready)
    assert [trial.name.partition(" seed")[0] for trial in built] == [
        trial.name.partition(" seed")[0] for trial in trials
    ]

    def fails(trial: Trial, ready: Ready) -> None:
        if trial.key == trials[2].key:
            raise ValueError("no such model")

    monkeypatch.setattr(tune, "build", fails)
    with pytest.raises(UserError, match=rf"params\.yaml: digits, {trials[2].family}: no such model"):
        tune.check_models(trials, ready)


def test_the_noise_of_the_data_is_used_if_it_is_known(store: Store):
    trials = expanded(store, likelihood=gaussian("data"), noise=0.03)
    assert {trial.likelihood["sigma"] for trial in trials} == {0.03}  # type: ignore[index]
    with pytest.raises(
        UserError,
        match=re.escape("model.likelihood: digits: 'sigma: data' is the noise of the data set's images"),
    ):
        expanded(store, likelihood=gaussian("data"))


def test_such_a_study_is_trained_scored_and_reported(store: Store):
    """Distortions by another σ are another quantity: trends and lines are within one σ, baselines too."""
    configure(
        ["rate", "distortion", "negative_elbo", "mse", "r2", "mig"],
        model=PLAIN | {"likelihood": [gaussian(sigma) for sigma in SIGMAS]},
    )
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
    images = Batch(images_of(ready).batch(torch.arange(300)))
    codes = encode(load_model(trial, ready, store), images).codes
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
    (sigma,) = (sigma for sigma in SIGMAS if headline.setting.variant == f"σ = {sigma}")
    untrained = estimates(study, "digits", "negative_elbo")[f"{BASELINE} sigma={sigma}"]
    assert float(headline.baseline.replace(",", "")) == pytest.approx(untrained.mean, rel=0.01)
    figure = rate_distortion(study, "digits")
    assert figure is not None
    lines = [trace for trace in figure.data if trace.name == "beta_vae"]
    assert [len(trace.x) for trace in lines] == [2, 2]
    assert [trace.showlegend for trace in lines] == [True, False]


def test_a_study_of_latents_and_corruptions_is_trained_scored_and_reported(store: Store):
    configure(
        ["rate", "distortion", "negative_elbo", "logistic_accuracy"],
        model=PLAIN | {"latents": [2, 5], "corruption": ["none", NOISE]},
    )
    prepare(store)
    trials = train_all(store)
    evaluate.main()
    report.main()
    study = read(load(), store)
    variants = [
        f"L = {latents}, corruption = {noise}" for latents in (2, 5) for noise in ("none", "noise(0.3)")
    ]
    assert {each.variant for each in study.settings["digits"]} == set(variants)
    assert scores_csv(study)["setting"].nunique() == len(trials) == 4 * len(variants)
    ready = store.read_ready("digits")
    for trial in trials:
        rates = store.history("digits", trial.key).filter(regex=r"^rate_\d+$").columns
        assert len(rates) == (0 if trial.untrained else trial.latents)
        assert load_model(trial, ready, store).latents == trial.latents
    scores = store.scores_table("digits")
    assert scores is not None
    for trial in trials:
        groups = scores[(scores["key"] == trial.key) & scores["metric"].str.fullmatch(r"rate_\d+")]
        assert len(groups) == trial.latents

    sentences = [sentence for family, sentence in trends(study, "digits") if family == "beta_vae"]
    assert [sentence.partition(":")[0] for sentence in sentences] == [
        f"{variant}, β 1 → 4" for variant in variants
    ]
    for best in best_values(study, summarise(study, "digits")):
        symbols = {"L": "latents", "corruption": "corruption"}
        parts = [part.split(" = ") for part in best.setting.variant.split(", ")]
        name = " ".join([BASELINE, *(f"{symbols[symbol]}={value}" for symbol, value in parts)])
        untrained = estimates(study, "digits", best.column.metric)[name]
        assert float(best.baseline.replace(",", "")) == pytest.approx(untrained.mean, rel=0.01)
    figure = rate_distortion(study, "digits")
    assert figure is not None
    lines = [trace for trace in figure.data if trace.name == "beta_vae"]
    assert [len(trace.x) for trace in lines] == [2] * 4
    page = (store.reports / "index.html").read_text()
    for text in ("β = 4, L = 5, corruption = noise(0.3)", "beta_vae beta=4 latents=5 corruption=noise(0.3)"):
        assert text in page

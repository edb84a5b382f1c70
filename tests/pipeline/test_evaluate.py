"""Scores: that they are of the model and the rows they say, and that none is computed twice."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from mlflow.tracking import MlflowClient
from PIL import Image
from sklearn.datasets import load_digits

import metrics
from pipeline import evaluate, pictures, scores, scoring
from pipeline.encoding import encode
from pipeline.errors import UserError
from pipeline.pack import train
from pipeline.params import Params, load
from pipeline.scoring import Data, score
from pipeline.store import Store
from pipeline.trial import Trial, expand, images_of, load_model
from vaecore import families
from vaecore.images import Images

ROOT = Path(__file__).parents[2]
HYPER: dict[str, dict[str, Any]] = {
    name: {
        key: 2.0
        for key, declared in families.family_class(name).hyperparameters.items()
        if declared.default is None
    }
    for name in families.names()
}
ALL = {name: {} for name in metrics.names()}
FEW = ["distortion", "mse", "psnr", "rate", "negative_elbo", "logistic_accuracy"]


def build(name: str, **options: Any) -> families.Family:
    settings: dict[str, Any] = {
        "image_shape": (1, 8, 8),
        "latents": 3,
        "network": {"name": "mlp", "hidden": [16]},
        "likelihood": "bernoulli",
        "dataset_size": 100,
        "hyper": HYPER[name],
        "seed": 1,
    }
    return families.build(name, **{**settings, **options}).eval()


@pytest.fixture(scope="module")
def images() -> Images:
    digits = load_digits().images[:100]
    return Images(torch.from_numpy(np.round(digits * 255 / 16).astype(np.uint8)[:, None]), (1, 8, 8))


def gathered(name: str, images: Images, **options: Any) -> dict[str, np.ndarray]:
    batches = list(encode(build(name), images, **{"batch_size": 32, "seed": 0, **options}))
    fields = [field.name for field in dataclasses.fields(batches[0])]
    parts = {field: [getattr(batch, field) for batch in batches] for field in fields}
    return {
        field: np.concatenate([array for array in arrays if array is not None])
        for field, arrays in parts.items()
        if any(array is not None for array in arrays)
    }


# --- encoding ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", families.names())
def test_distortion_and_rate_are_those_of_the_familys_terms(name: str, images: Images):
    found = gathered(name, images, batch_size=100)
    family = build(name)
    noise = np.random.default_rng(0).standard_normal((100, 3), dtype=np.float32)
    drawn = {
        key: torch.from_numpy(noise) if key == "posterior" else torch.rand(shape)
        for key, (_, shape) in family.noise(100).items()
    }
    hyper = {key: torch.tensor(2.0) for key in HYPER[name]}
    x = images.batch(torch.arange(100))
    with torch.inference_mode():
        terms = family.terms(x, hyper, drawn)
        mean, std = family.autoencoder.encode(x)
    # float32 sums over 64 pixels and 3 latents, added up in another order
    np.testing.assert_allclose(found["distortion"], terms["distortion"], rtol=1e-5)
    np.testing.assert_allclose(found["rate"], terms["rate"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["mean"], mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["std"], std, rtol=1e-5)


@pytest.mark.parametrize("name", ["vae", "ae"])
def test_the_batch_size_changes_no_number(name: str, images: Images):
    whole, parts = gathered(name, images, batch_size=100), gathered(name, images, batch_size=7)
    assert whole.keys() == parts.keys()
    for field, expected in whole.items():
        # matrix products of other sizes round differently in float32
        np.testing.assert_allclose(parts[field], expected, rtol=1e-4, atol=1e-5, err_msg=field)


def test_only_some_rows_are_decoded(images: Images):
    rows = np.zeros(100, dtype=bool)
    rows[[3, 40, 41]] = True  # two of the four batches have none
    whole, some = gathered("vae", images), gathered("vae", images, rows=rows)
    for field in ("mean", "std", "rate"):
        np.testing.assert_array_equal(some[field], whole[field])
    for field in ("distortion", "images", "reconstructions"):
        np.testing.assert_allclose(some[field], whole[field][rows], rtol=1e-4, atol=1e-5)


def test_no_more_is_computed_than_is_needed(images: Images):
    assert set(gathered("vae", images, distortion=False, reconstructions=False)) == {"mean", "std", "rate"}


def test_bits_are_the_images_they_stand_for():
    pixels = np.random.default_rng(0).integers(0, 2, (50, 1, 8, 8)).astype(np.uint8)
    bits = Images(torch.from_numpy(np.packbits(pixels.reshape(50, -1), axis=1)), (1, 8, 8))
    whole = Images(torch.from_numpy(pixels * 255), (1, 8, 8))
    one, other = gathered("vae", bits), gathered("vae", whole)
    for field, expected in other.items():
        np.testing.assert_allclose(one[field], expected, rtol=1e-5, atol=1e-6)


# --- scoring ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(images: Images) -> Data:
    index = np.arange(100)
    return Data(
        images, np.stack([index // 10 % 5, index % 10], axis=1), load_digits().target[:100], index % 4 == 0
    )


def test_every_metric_gets_its_arrays_on_the_rows_it_says(data: Data, images: Images):
    whole = gathered("vae", images, batch_size=100, seed=scoring.seed_of("k", "posterior samples"))
    test = data.test
    assert test is not None
    arrays: dict[str, Any] = {
        **whole,
        "codes": whole["mean"],
        "factors": data.factors,
        "labels": data.labels,
    }
    found, failures = score(build("vae"), data, ALL, key="k", batch_size=16)
    assert not failures
    assert set(found) == set(ALL)
    for name, result in found.items():
        rows = test if metrics.names()[name] in ("reconstruction", "rate") else np.full(100, True)
        given = {
            argument: array[rows] for argument, array in arrays.items() if argument in scoring.arguments(name)
        }
        given |= {"dimensions": 64} if "dimensions" in scoring.arguments(name) else {}
        given |= {"test": test} if "test" in scoring.arguments(name) else {}
        if "rng" in scoring.arguments(name):
            given["rng"] = np.random.default_rng(scoring.seed_of("k", name))
        expected = metrics.function(name)(**given)
        # counts and fits on codes that differ by rounding agree to that; sums of float32 likewise
        assert result.values == pytest.approx(expected, rel=1e-4, abs=1e-5), name
        folder = metrics.names()[name]
        assert result.split == ("all" if folder == "disentanglement" else "test"), name


def test_without_held_out_rows_images_are_those_trained_on(data: Data):
    plain = dataclasses.replace(data, test=None)
    found, failures = score(build("vae"), plain, {"mse": {}, "distortion": {}}, key="k", batch_size=64)
    assert not failures
    assert {result.split for result in found.values()} == {"train"}


def test_a_deterministic_code_has_an_infinite_rate(data: Data):
    found, failures = score(build("ae"), data, ALL, key="k", batch_size=64)
    assert not failures
    assert found["rate"].values["rate"] == found["negative_elbo"].values["negative_elbo"] == math.inf
    assert math.isfinite(found["distortion"].values["distortion"])


def test_metrics_without_their_ground_truth_are_left_out():
    assert "mig" not in scoring.applicable(ALL, factors=False, labels=True)
    assert "logistic_accuracy" not in scoring.applicable(ALL, factors=True, labels=False)
    assert scoring.applicable(ALL, factors=True, labels=True) == list(ALL)


def test_a_metric_that_fails_stops_no_other(data: Data, monkeypatch: pytest.MonkeyPatch):
    def fails(codes):
        raise RuntimeError("broken on purpose")

    def fails_on_images(images):
        raise ValueError("no such pixel")

    own = {"mig": fails, "mse": fails_on_images}
    original = metrics.function
    monkeypatch.setattr(metrics, "function", lambda name: own.get(name) or original(name))
    found, failures = score(build("vae"), data, {"mig": {}, "mse": {}, "rate": {}}, key="k", batch_size=64)
    assert set(found) == {"rate"}
    assert failures["mig"].startswith("RuntimeError: broken on purpose (test_evaluate.py, line ")
    assert "no such pixel" in failures["mse"]


def test_a_metric_that_asks_for_what_there_is_not(monkeypatch: pytest.MonkeyPatch):
    def own(codes, colours): ...

    def both(images, labels): ...

    monkeypatch.setattr(metrics, "function", lambda name: own)
    with pytest.raises(ValueError, match=r"parameter 'colours' is no array .* codes, dimensions"):
        scoring.arguments("own")
    monkeypatch.setattr(metrics, "function", lambda name: both)
    with pytest.raises(ValueError, match=r"batch by batch.*labels"):
        scoring.arguments("both")


# --- pictures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vae", "ae"])
def test_pictures_are_grids_of_whole_pixels(name: str, images: Images):
    drawn = {
        file: np.asarray(Image.open(io.BytesIO(png)))
        for file, png in pictures.draw(build(name), images).items()
    }
    assert set(drawn) == scores.PICTURES
    # 8 x 8 images are shown as 64 x 64, with 2 pixels between them and around
    assert drawn["reconstructions.png"].shape == (4 * 66 + 2, 10 * 66 + 2)
    assert drawn["traversals.png"].shape == (3 * 66 + 2, 11 * 66 + 2)
    original = drawn["reconstructions.png"][2:66, 2:66]
    pixels = original[::8, ::8]
    np.testing.assert_array_equal(original, pixels.repeat(8, 0).repeat(8, 1))
    assert (images.stored[:, 0].numpy() == pixels).all(axis=(1, 2)).any()


def test_every_model_is_shown_the_same_images(images: Images):
    rows = np.arange(100) % 5 == 0
    one, other = (
        np.asarray(
            Image.open(
                io.BytesIO(pictures.draw(build("vae", seed=seed), images, rows)["reconstructions.png"])
            )
        )
        for seed in (1, 2)
    )
    np.testing.assert_array_equal(one[2:66], other[2:66])
    assert (one[68:132] != other[68:132]).any()


def test_colours_stay_colours():
    stored = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (30, 3, 64, 64)).astype(np.uint8))
    family = build("vae", image_shape=(3, 64, 64))
    png = pictures.draw(family, Images(stored, (3, 64, 64)))["reconstructions.png"]
    page = np.asarray(Image.open(io.BytesIO(png)))
    assert page.shape == (4 * 66 + 2, 10 * 66 + 2, 3)
    assert (stored.permute(0, 2, 3, 1).numpy() == page[2:66, 2:66]).all(axis=(1, 2, 3)).any()


# --- the stage --------------------------------------------------------------------------------------------------------


@pytest.fixture
def study(digits_store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Three trained models and an untrained one, in the current folder; nothing scored."""
    monkeypatch.chdir(digits_store.root)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    configure(FEW)
    params = load()
    for trial in trials_of(params, digits_store):
        list(train([trial], digits_store))
    return digits_store


def configure(names: list[str] | dict[str, Any], **changes: Any) -> None:
    content = {
        "study": "small",
        "datasets": {"digits": {"test_fraction": 0.2}},
        "families": {"ae": {}, "beta_vae": {"beta": [1, 4]}},
        "untrained": True,
        "seeds": [0],
        "model": {"network": {"name": "mlp", "hidden": [16]}, "latents": 3},
        "training": {
            "steps": 20,
            "batch_size": 16,
            "learning_rate": 0.001,
            "precision": "float32",
            "record_every": 10,
        },
        "overrides": {},
        "scheduling": {"cpu": 1, "gpu": 0, "retries": 0, "checkpoint_seconds": 30, "address": None},
        "evaluation": {"metrics": names, "batch_size": 64},
        "tracking": {"uri": "sqlite:///mlflow.db"},
    }
    Path("params.yaml").write_text(yaml.safe_dump({**content, **changes}))


def trials_of(params: Params, store: Store) -> list[Trial]:
    return expand(params, {"digits": store.read_ready("digits")})


def planned(store: Store) -> list[scores.Work]:
    params = load()
    ready = {"digits": store.read_ready("digits")}
    return scores.plan(trials_of(params, store), scores.asked(params, ready), store)


def test_the_stage_from_nothing_to_nothing_to_do(study: Store, capsys: pytest.CaptureFixture[str]):
    trials = trials_of(load(), study)
    broken = study.run("digits", trials[1].key) / "model.safetensors"
    whole = broken.read_bytes()
    broken.write_bytes(b"\xff" * len(whole))

    # One model cannot be read: the others are scored, and the stage says which failed.
    with pytest.raises(
        UserError,
        match=r"1 could not be computed(?s:.*)digits beta_vae beta=1 seed=0: .*model\.safetensors is damaged .*Remove",
    ):
        evaluate.main()
    output = capsys.readouterr().out
    assert "4 trained models: 0 scored earlier, 4 to score" in output
    assert "/4] digits ae seed=0: 6 metrics and pictures, " in output
    first = pd.read_parquet("scores/digits/scores.parquet")
    assert set(first["key"]) == {trial.key for trial in trials} - {trials[1].key}

    # Cured, and a metric added: what is missing of each, and no more.
    broken.write_bytes(whole)
    kept = {trial.key: study.trial_scores("digits", trial.key) for trial in trials}
    configure([*FEW, "active_units"])
    evaluate.main()
    output = capsys.readouterr().out
    assert "/4] digits beta_vae beta=1 seed=0: 7 metrics and pictures, " in output
    assert "/4] digits ae seed=0: 1 metric, " in output
    for trial in trials:
        found = study.trial_scores("digits", trial.key)
        assert set(found["metrics"]) == {*FEW, "active_units"}
        for name, entry in kept[trial.key]["metrics"].items():
            assert found["metrics"][name] == entry, "a score was computed again"

    table = pd.read_parquet("scores/digits/scores.parquet")
    assert list(table.columns) == list(scores.COLUMNS)
    assert not table.duplicated(["key", "split", "metric"]).any()
    assert set(table["key"]) == {trial.key for trial in trials}
    beta = table[(table["family"] == "beta_vae") & (table["metric"] == "rate")]
    assert sorted(beta["x"]) == [1.0, 4.0]
    assert [json.loads(setting) for setting in beta.sort_values("x")["setting"]] == [
        {"beta": 1.0},
        {"beta": 4.0},
    ]
    untrained = table[table["untrained"]]
    assert set(untrained["key"]) == {trials[-1].key}
    assert untrained["x"].isna().all()
    assert np.isinf(table[(table["family"] == "ae") & (table["metric"] == "rate")]["value"]).all()

    # MLflow has the scores and the pictures of all.
    client = MlflowClient(f"sqlite:///{study.root}/mlflow.db")
    experiment = client.get_experiment_by_name("small")
    logged = {run.data.tags.get("trial_key"): run for run in client.search_runs([experiment.experiment_id])}
    for trial in trials:
        values = table[(table["key"] == trial.key) & np.isfinite(table["value"])].set_index("metric")["value"]
        sent = {
            name: value for name, value in logged[trial.key].data.metrics.items() if name.startswith("score/")
        }
        assert sent == {f"score/{name}": value for name, value in values.items()}
        figures = client.list_artifacts(logged[trial.key].info.run_id, "figures")
        assert {Path(item.path).name for item in figures} == scores.PICTURES

    # Nothing to do: Ray is not even imported. A trial that left the study left the table.
    configure([*FEW, "active_units"], families={"beta_vae": {"beta": [4]}}, untrained=False)
    program = """
        import sys
        from pipeline.evaluate import main
        main()
        assert "ray" not in sys.modules, "Ray was imported"
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "1 trained models: 1 scored earlier, 0 to score" in done.stdout
    assert set(pd.read_parquet("scores/digits/scores.parquet")["key"]) == {trials[2].key}
    assert study.trial_scores("digits", trials[0].key)["metrics"], "scores of trials that left are kept"


def score_here(study: Store) -> None:
    """What the stage does with its plan, without Ray."""
    ready = study.read_ready("digits")
    data = Data(images_of(ready), ready.factors, ready.labels, ready.test)
    for work in planned(study):
        family = load_model(work.trial, ready, study)
        wanted = {name: metric.settings for name, metric in work.wanted.items()}
        found, failures = score(family, data, wanted, key=work.trial.key, batch_size=64)
        assert not failures
        drawn = pictures.draw(family, data.images, data.held_out) if work.draw else {}
        scores.update(work, {name: dataclasses.asdict(value) for name, value in found.items()}, drawn, study)


def missing(store: Store) -> set[frozenset[str]]:
    """The sets of metrics that trials lack, "pictures" among them."""
    return {frozenset([*work.wanted, *(["pictures"] if work.draw else [])]) for work in planned(store)}


def test_only_what_changed_is_computed_again(study: Store, monkeypatch: pytest.MonkeyPatch):
    assert missing(study) == {frozenset([*FEW, "pictures"])}
    score_here(study)
    assert missing(study) == set()

    configure({**dict.fromkeys(FEW), "active_units": {"threshold": 0.1}})
    assert missing(study) == {frozenset(["active_units"])}
    score_here(study)
    configure({**dict.fromkeys(FEW), "active_units": {"threshold": 0.2}})
    assert missing(study) == {frozenset(["active_units"])}
    configure(FEW)
    assert missing(study) == set()

    source = scores._metric_source
    with monkeypatch.context() as patch:
        patch.setattr(scores, "_metric_source", lambda name: source(name) + "changed" * (name == "rate"))
        assert missing(study) == {frozenset(["rate"])}
    digest = scores.source_digest
    with monkeypatch.context() as patch:
        changed = "pipeline.encoding"
        patch.setattr(scores, "source_digest", lambda *modules: digest(*modules) + "x" * (changed in modules))
        assert missing(study) == {frozenset(FEW)}
        changed = "pipeline.pictures"
        assert missing(study) == {frozenset(["pictures"])}


def test_damaged_scores_are_computed_again(study: Store):
    score_here(study)
    first, second, *_ = trials_of(load(), study)
    path = study.scores("digits") / first.key / "scores.json"
    path.write_text(path.read_text()[:100])
    (study.scores("digits") / second.key / "traversals.png").unlink()
    work = {item.trial.key: item for item in planned(study)}
    assert set(work) == {first.key, second.key}
    assert set(work[first.key].wanted) == set(FEW)
    assert (set(work[second.key].wanted), work[second.key].draw) == (set(), True)


def test_a_stale_score_does_not_stay_for_one_that_failed(study: Store):
    score_here(study)
    configure({**dict.fromkeys(FEW), "distortion": {}})
    trial = trials_of(load(), study)[0]
    asked = scores.Asked({}, "another digest")
    scores.update(scores.Work(trial, {"rate": asked}, draw=False), {}, {}, study)
    assert "rate" not in study.trial_scores("digits", trial.key)["metrics"]
    assert set(study.trial_scores("digits", trial.key)["metrics"]) == set(FEW) - {"rate"}


def test_the_table_of_no_trial_has_its_columns():
    empty = scores.table([])
    assert list(empty.columns) == list(scores.COLUMNS)
    assert empty["value"].dtype == np.float64

"""A trial's identity, its run folder, and that interrupting it at any moment changes nothing but the time."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load, load_file

from pipeline.errors import UserError
from pipeline.store.layout import Store
from pipeline.study.expansion import expand, needs_of
from pipeline.study.model import build, images_of, load_model, sampler_of
from pipeline.study.params import Params
from pipeline.study.trial import Trial
from pipeline.training.pack import train
from tests.pipeline.small_trials import SETTINGS, make_trial
from tests.vaecore.small import example
from vaecore import families
from vaecore.precision import resolve_precision
from vaecore.training import Settings


def trial_of(store: Store, family: str = "beta_vae", **changes: Any) -> Trial:
    return make_trial(family, checksum=store.read_ready("digits").meta["checksum"], **changes)


NEEDY = [
    (family, hyper)
    for family in families.names()
    for hyper in [
        {},
        *(
            {name: word}
            for name, option in families.family_class(family).options.items()
            for word in option.words
        ),
    ]
    if needs_of(family, make_trial(family, hyper=hyper).hyper)
]
"""Families, and their options, that need labels or factors of every image."""


def small_params(**changes: Any) -> Params:
    """A study of two seeds and a baseline on digits."""
    return Params.model_validate(
        {
            "study": "s",
            "datasets": {"digits": {}},
            "families": {"vae": {}},
            "untrained": True,
            "seeds": [0, 1],
            "model": {},
            "training": {"steps": 5, "batch_size": 8, "learning_rate": 1e-3},
            "overrides": {},
            "scheduling": {},
            "evaluation": {"metrics": []},
            "tracking": {},
            **changes,
        }
    )


def finish(trial: Trial, store: Store, **options) -> list[int]:
    events = [event for events in train([trial], store, **options) for event in events]
    return [event.content["step"] for event in events if event.kind == "row"]


def test_a_trial_survives_its_configuration_file(digits_store: Store):
    moving = {"schedule": "linear", "from": 0.0, "to": 4.0, "steps": 10.0}
    trial = trial_of(digits_store, hyper={"beta": moving}, varied=("latents", "corruption"))
    again = Trial.from_config(json.loads(json.dumps(trial.config())))
    assert again == trial
    assert again.key == trial.key


def test_a_finished_folder_is_complete_and_holds_the_model(digits_store: Store):
    trial = trial_of(digits_store)
    assert digits_store.result("digits", trial.key) is None
    assert finish(trial, digits_store) == [10, 20, 30, 40]
    result = digits_store.result("digits", trial.key)
    assert result["status"] == "finished"
    assert result["steps"] == 40
    assert result["interruptions"] == 0
    assert result["precision"] == "float32"
    folder = digits_store.run("digits", trial.key)
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "trial.log", "model.safetensors", "history.parquet", "result.json",
    }  # fmt: skip
    history = digits_store.history("digits", trial.key)
    assert list(history["step"]) == [10, 20, 30, 40]
    assert {"loss", "distortion", "rate", "rate_0", "beta", "learning_rate"} <= set(history.columns)
    model = load_model(trial, digits_store.read_ready("digits"), digits_store)
    assert not model.training


def test_the_precision_of_a_result_is_the_one_in_fact_used(digits_store: Store):
    trial = trial_of(digits_store, training=dataclasses.replace(SETTINGS, precision="auto"))
    finish(trial, digits_store)
    ready = digits_store.read_ready("digits")
    expected = resolve_precision("auto", torch.device("cpu"), build(trial, ready))
    assert digits_store.result("digits", trial.key)["precision"] == expected != "auto"


@pytest.mark.parametrize(("family", "hyper"), NEEDY)
def test_a_family_gets_labels_and_factors_as_ranks_of_their_values(
    digits_store: Store, family: str, hyper: dict[str, Any]
):
    ready = digits_store.read_ready("digits")
    some = np.isin(ready.labels, [2, 5, 9])
    labels, parity = ready.labels[some], np.arange(some.sum()) % 2
    digits_store.write_ready(
        "digits",
        images=ready.images[some],
        labels=labels,
        factors=np.stack([labels * 10, parity - 7], axis=1),
        meta={"shape": [1, 8, 8], "storage": "uint8"},
    )
    few = digits_store.read_ready("digits")
    assert (few.classes, few.factor_sizes) == (3, [3, 2])
    trial = trial_of(digits_store, family, hyper=hyper)
    needs = needs_of(family, trial.hyper)
    batch = sampler_of(few, images_of(few), needs).batch(torch.arange(len(few)))
    place = np.searchsorted([2, 5, 9], labels)
    known = {"labels": (batch.label, place), "factors": (batch.factors, np.stack([place, parity], axis=1))}
    for name, (found, expected) in known.items():
        if name in needs:
            np.testing.assert_array_equal(found, expected)
        else:
            assert found is None
    finish(trial, digits_store)
    assert digits_store.result("digits", trial.key)["status"] == "finished"


@pytest.mark.parametrize(("family", "hyper"), NEEDY)
@pytest.mark.parametrize("has", ["labels", "factors", None])
def test_a_family_is_refused_where_the_data_do_not_have_what_it_needs(
    digits_store: Store, family: str, hyper: dict[str, Any], has: str | None
):
    ready = digits_store.read_ready("digits")
    arrays = {"labels": ready.labels, "factors": ready.labels[:, None]}
    given = {has: arrays[has]} if has else {}
    digits_store.write_ready(
        "digits", images=ready.images, **given, meta={"shape": [1, 8, 8], "storage": "uint8"}
    )
    params = small_params(families={"vae": {}, family: example(family) | hyper})
    there = {"digits": digits_store.read_ready("digits")}
    needs = needs_of(family, make_trial(family, hyper=hyper).hyper)
    if needs <= set(given):
        assert {trial.family for trial in expand(params, there)} == {"vae", family}
        return
    (lacks,) = needs
    known = has or "neither labels nor factors"
    message = f"families.{family}: it needs {lacks}, and data set 'digits' has {known}. Remove the family"
    with pytest.raises(UserError, match=re.escape(message)):
        expand(params, there)


@pytest.mark.parametrize(
    ("family", "stop_after"), [("beta_vae", 3), *((name, 1) for name in families.names())]
)
def test_an_interrupted_trial_ends_with_the_same_weights_and_history(
    digits_store: Store, family: str, stop_after: int
):
    whole = trial_of(digits_store, family)
    finish(whole, digits_store)
    folder = digits_store.run("digits", whole.key)
    weights, history = load_file(folder / "model.safetensors"), pd.read_parquet(folder / "history.parquet")
    (folder / "result.json").unlink()

    running = train([whole], digits_store, checkpoint_seconds=0)
    for _ in range(1 + stop_after):  # that it started, and rows
        next(running)
    running.close()  # killed between two rows
    assert (folder / "checkpoint.pt").exists()
    assert digits_store.result("digits", whole.key) is None

    assert finish(whole, digits_store) == list(range(10 * stop_after + 10, 41, 10))
    assert digits_store.result("digits", whole.key)["interruptions"] == 1
    again = load_file(folder / "model.safetensors")
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    pd.testing.assert_frame_equal(history, digits_store.history("digits", whole.key), check_exact=True)


@pytest.mark.parametrize("damaged", ["checkpoint.pt", "result.json", "model.safetensors", "history.parquet"])
def test_a_half_written_file_costs_only_its_own_trial(digits_store: Store, damaged: str):
    trial = trial_of(digits_store)
    finish(trial, digits_store)
    folder = digits_store.run("digits", trial.key)
    expected = load((folder / "model.safetensors").read_bytes())  # not the file, which is about to be damaged
    path = folder / damaged
    path.write_bytes(path.read_bytes()[:7] if path.exists() else b"PK\x03\x04 cut")
    if damaged == "checkpoint.pt":
        (folder / "result.json").unlink()
    (folder / ".model.safetensors.123.tmp").write_bytes(b"left behind")

    assert digits_store.result("digits", trial.key) is None
    finish(trial, digits_store)
    assert digits_store.result("digits", trial.key)["status"] == "finished"
    again = load_file(folder / "model.safetensors")
    assert all(torch.equal(expected[name], again[name]) for name in expected)
    assert not list(folder.glob(".*"))
    if damaged == "checkpoint.pt":
        assert "damaged" in (folder / "trial.log").read_text()


def test_divergence_is_a_result_with_its_step(digits_store: Store):
    trial = trial_of(
        digits_store,
        training=Settings(steps=40, batch_size=16, learning_rate=1e30, precision="float32", record_every=10),
    )
    finish(trial, digits_store)
    result = digits_store.result("digits", trial.key)
    assert result["status"] == "diverged"
    assert 2 <= result["diverged_at"] <= 40


def test_an_untrained_baseline_is_the_initialised_model(digits_store: Store):
    trial = trial_of(
        digits_store,
        "vae",
        training=Settings(steps=0, batch_size=16, learning_rate=1e-3, precision="float32"),
    )
    assert trial.untrained
    assert finish(trial, digits_store) == []
    ready = digits_store.read_ready("digits")
    fresh = families.build(
        "vae", image_shape=ready.shape, latents=3, network=trial.network, likelihood="bernoulli",
        dataset_size=240, hyper={}, seed=0,
    )  # fmt: skip
    saved = load_model(trial, ready, digits_store).state_dict()
    assert all(torch.equal(value, saved[name]) for name, value in fresh.state_dict().items())
    assert digits_store.history("digits", trial.key).empty


def test_a_failure_is_noted_and_forgotten_on_success(digits_store: Store, monkeypatch: pytest.MonkeyPatch):
    trial = trial_of(digits_store)
    with monkeypatch.context() as patch:
        patch.setattr(
            "pipeline.training.pack.advance", lambda trainings: [MemoryError("no room") for _ in trainings]
        )
        for attempt in (1, 2):
            with pytest.raises(MemoryError):
                finish(trial, digits_store)
            failure = digits_store.failure("digits", trial.key)
            assert failure["reason"] == "MemoryError: no room"
            assert failure["attempts"] == attempt
    finish(trial, digits_store)
    assert digits_store.failure("digits", trial.key) is None


def test_training_does_not_see_the_rows_held_out(digits_store: Store):
    ready = digits_store.read_ready("digits")
    assert len(ready.train_rows) == 240
    assert not ready.test[ready.train_rows].any()
    trial = trial_of(digits_store)
    finish(trial, digits_store)
    images = ready.images.copy()
    images[ready.test] = 255 - images[ready.test]
    digits_store.write_ready(
        "digits",
        images=images,
        labels=ready.labels,
        split=ready.split,
        meta={"shape": [1, 8, 8], "storage": "uint8"},
    )
    other = dataclasses.replace(trial, seed=0, checksum=digits_store.read_ready("digits").meta["checksum"])
    finish(other, digits_store)
    weights = [load_model(one, ready, digits_store).state_dict() for one in (trial, other)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_study_has_each_trial_once(digits_store: Store):
    params = small_params(families={"vae": {}, "beta_vae": {"beta": [1, 4]}})
    ready = {"digits": digits_store.read_ready("digits")}
    trials = expand(params, ready)
    assert [trial.name for trial in trials] == [
        f"{name} seed={seed}"
        for name in ("vae", "beta_vae beta=1", "beta_vae beta=4", "vae untrained")
        for seed in (0, 1)
    ]
    # Where nothing is trained, the baseline is the family itself.
    still = params.model_copy(update={"training": {**params.training, "steps": 0}})
    assert len(expand(still, ready)) == len({trial.key for trial in expand(still, ready)}) == 6

"""A trial's identity, its run folder, and that interrupting it at any moment changes nothing but the time."""

from __future__ import annotations

import dataclasses
import json

import pandas as pd
import pytest
import torch
from safetensors.torch import load, load_file

from pipeline.pack import train
from pipeline.params import Params
from pipeline.store import Store
from pipeline.trial import Trial, expand, load_model
from vaecore import families
from vaecore.training import Settings


def make_trial(store: Store, family: str = "beta_vae", **changes) -> Trial:
    values = {
        "dataset": "digits",
        "checksum": store.read_ready("digits").meta["checksum"],
        "family": family,
        "hyper": {"beta": 4.0} if family == "beta_vae" else {},
        "network": {"name": "mlp", "hidden": [16]},
        "latents": 3,
        "likelihood": "bernoulli",
        "training": Settings(
            steps=40, batch_size=16, learning_rate=1e-3, precision="float32", record_every=10
        ),
        "seed": 0,
        "source": "s",
    }
    return Trial(**{**values, **changes})


def finish(trial: Trial, store: Store, **options) -> list[int]:
    events = [event for events in train([trial], store, **options) for event in events]
    return [event.content["step"] for event in events if event.kind == "row"]


def test_the_key_changes_with_every_part_of_the_identity(digits_store: Store):
    trial = make_trial(digits_store)
    changes = {
        "dataset": "other",
        "checksum": "c",
        "family": "vae",
        "hyper": {"beta": 8.0},
        "network": "conv",
        "latents": 4,
        "likelihood": {"name": "gaussian", "sigma": 0.1},
        "training": dataclasses.replace(trial.training, learning_rate=1e-4),
        "seed": 1,
        "source": "t",
    }
    assert set(changes) == {field.name for field in dataclasses.fields(Trial)}
    keys = {dataclasses.replace(trial, **{name: value}).key for name, value in changes.items()}
    assert len(keys | {trial.key}) == len(changes) + 1


def test_a_trial_survives_its_configuration_file(digits_store: Store):
    trial = make_trial(
        digits_store, hyper={"beta": {"schedule": "linear", "from": 0.0, "to": 4.0, "steps": 10.0}}
    )
    assert Trial.from_config(json.loads(json.dumps(trial.config()))).key == trial.key


def test_a_finished_folder_is_complete_and_holds_the_model(digits_store: Store):
    trial = make_trial(digits_store)
    assert digits_store.result("digits", trial.key) is None
    assert finish(trial, digits_store) == [10, 20, 30, 40]
    result = digits_store.result("digits", trial.key)
    assert result["status"] == "finished"
    assert result["steps"] == 40
    assert result["interruptions"] == 0
    folder = digits_store.run("digits", trial.key)
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "trial.log", "model.safetensors", "history.parquet", "result.json",
    }  # fmt: skip
    history = digits_store.history("digits", trial.key)
    assert list(history["step"]) == [10, 20, 30, 40]
    assert {"loss", "distortion", "rate", "rate_0", "beta", "learning_rate"} <= set(history.columns)
    model = load_model(trial, digits_store.read_ready("digits"), digits_store)
    assert not model.training


@pytest.mark.parametrize("stop_after", [1, 3])
def test_an_interrupted_trial_ends_with_the_same_weights_and_history(digits_store: Store, stop_after: int):
    whole = make_trial(digits_store)
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
    trial = make_trial(digits_store)
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
    trial = make_trial(
        digits_store,
        training=Settings(steps=40, batch_size=16, learning_rate=1e30, precision="float32", record_every=10),
    )
    finish(trial, digits_store)
    result = digits_store.result("digits", trial.key)
    assert result["status"] == "diverged"
    assert 2 <= result["diverged_at"] <= 40


def test_an_untrained_baseline_is_the_initialised_model(digits_store: Store):
    trial = make_trial(
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
    trial = make_trial(digits_store)
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.pack.advance", lambda trainings: [MemoryError("no room") for _ in trainings])
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
    trial = make_trial(digits_store)
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
    params = Params.model_validate(
        {
            "study": "s",
            "datasets": {"digits": {}},
            "families": {"vae": {}, "beta_vae": {"beta": [1, 4]}},
            "untrained": True,
            "seeds": [0, 1],
            "model": {},
            "training": {"steps": 5, "batch_size": 8, "learning_rate": 1e-3},
            "overrides": {},
            "scheduling": {},
            "evaluation": {"metrics": []},
            "tracking": {},
        }
    )
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

"""The content of MLflow in a real SQLite store and on a real server; nothing is logged twice or lost."""

from __future__ import annotations

import dataclasses
import math
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pytest
import requests
import torch
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from safetensors.torch import load_file
from sklearn.datasets import load_digits

from pipeline.errors import UserError
from pipeline.store.layout import Store
from pipeline.study.expansion import needs_of
from pipeline.study.model import images_of, load_model, sampler_of
from pipeline.study.trial import Trial
from pipeline.tracking import address, run_record
from pipeline.tracking.sync import sync_runs
from pipeline.tracking.tracker import Tracker
from pipeline.training.pack import train
from pipeline.training.run import record_failure
from tests.pipeline.small_trials import SETTINGS, make_trial
from tests.vaecore.small import encode
from vaecore.families import names

SCHEDULE = {"schedule": "linear", "from": 0.0, "to": 10.0, "steps": 20.0}
HYPER = {"vae": {}, "ae": {}, "annealed_vae": {"capacity": SCHEDULE, "gamma": 10.0}}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Prepared digits, on which the trials below are finished."""
    store = Store(tmp_path_factory.mktemp("study"))
    digits = load_digits()
    store.write_ready(
        "digits",
        images=np.round(digits.images[:200] * 255 / 16).astype(np.uint8)[:, None],
        labels=digits.target[:200].astype(np.int64),
        meta={"shape": [1, 8, 8], "storage": "uint8", "source": "scikit-learn"},
    )
    for trial in trials_of(store):
        list(train([trial], store))
    return store


def trial_of(store: Store, family: str, seed: int = 0) -> Trial:
    return make_trial(
        family,
        seed,
        checksum=store.read_ready("digits").meta["checksum"],
        hyper=HYPER.get(family, {}),
        training=dataclasses.replace(SETTINGS, record_every=2),
    )


def test_parameters_of_a_run_are_its_whole_configuration():
    trial = make_trial(
        "annealed_vae",
        3,
        hyper=HYPER["annealed_vae"],
        network={"name": "mlp", "hidden": [16, 8]},
        initialization="kaiming",
        likelihood={"name": "gaussian", "sigma": 0.1},
        corruption={"name": "noise", "sigma": 0.3},
    )
    assert run_record.params(trial) == {
        "dataset": "digits", "family": "annealed_vae", "seed": "3", "untrained": "False",
        "network": "mlp", "network.hidden": "16-8", "initialization": "kaiming", "latents": "3",
        "likelihood": "gaussian", "likelihood.sigma": "0.1", "corruption": "noise", "corruption.sigma": "0.3",
        "training.steps": "40", "training.batch_size": "16", "training.learning_rate": "0.001",
        "training.betas": "0.9-0.999", "training.precision": "float32", "training.record_every": "10",
        "capacity": "linear(0→10)", "capacity.schedule": "linear", "capacity.from": "0", "capacity.to": "10",
        "capacity.steps": "20", "gamma": "10",
    }  # fmt: skip


def trials_of(store: Store) -> list[Trial]:
    return [trial_of(store, family, seed) for family in HYPER for seed in (0, 1)]


@pytest.fixture(scope="module")
def trials(store: Store) -> list[Trial]:
    return trials_of(store)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An MLflow server of the tests' own on this machine."""
    folder = tmp_path_factory.mktemp("server")
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", "sqlite:///server.db"]
    command += ["--artifacts-destination", "./artifacts", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([*command, "--workers", "1"], cwd=folder, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 120
            while True:
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, "the server did not start"
                try:
                    if requests.get(f"{uri}/health", timeout=1).ok:
                        break
                except requests.RequestException:
                    time.sleep(0.2)
            yield uri
        finally:
            process.terminate()
            process.wait(timeout=30)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def root(tmp_path: Path, store: Store) -> Path:
    """The study's folders with an empty MLflow store of its own beside them."""
    for name in ("data", "runs"):
        (tmp_path / name).symlink_to(store.root / name)
    return tmp_path


@pytest.fixture
def sqlite(root: Path, empty_mlflow: Path) -> str:
    shutil.copy(empty_mlflow, root)
    return "sqlite:///mlflow.db"


def client_of(uri: str, root: Path) -> MlflowClient:
    return MlflowClient(address.resolve(uri, root))


def runs(client: MlflowClient, study: str) -> tuple[list[Run], dict[str, Run]]:
    """(parents, trial key -> run); no key twice."""
    experiment = client.get_experiment_by_name(study)
    assert experiment is not None
    found = list(client.search_runs([experiment.experiment_id], max_results=1000))
    parents = [run for run in found if "betabench.dataset" in run.data.tags]
    children = {run.data.tags["trial_key"]: run for run in found if "trial_key" in run.data.tags}
    assert len(parents) + len(children) == len(found)
    return parents, children


def check_study(uri: str, study: str, root: Path, trials: list[Trial]) -> None:
    """Log a study in two goes, then again; look at all that is there."""
    store = Store(root)
    picture = root / "reconstructions.png"
    picture.write_bytes(b"not looked at here")
    first = Tracker.open(uri, study, root)
    for trial in trials[:2]:
        first.start_trial(trial)
        first.finish_trial(trial, store.result("digits", trial.key), store.history(trial.dataset, trial.key))
    for _ in range(2):
        tracker = Tracker.open(uri, study, root)
        sync_runs(tracker, trials, store)
        for trial in trials:
            tracker.log_scores(trial, {"mig": 0.25, "rate": math.inf}, [picture])

    client = client_of(uri, root)
    (parent,), children = runs(client, study)
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["betabench.dataset"] == "digits"
    assert parent.inputs.dataset_inputs[0].dataset.name == "digits"
    assert set(children) == {trial.key for trial in trials}
    for trial in trials:
        found = children[trial.key]
        assert found.info.run_name == trial.name
        assert found.info.status == "FINISHED"
        assert found.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert found.data.tags["dataset_checksum"] == trial.checksum
        assert found.data.params["family"] == trial.family
        assert found.data.params["seed"] == str(trial.seed)
        assert found.data.metrics["score/mig"] == 0.25
        assert "score/rate" not in found.data.metrics
        assert found.data.tags["scores_not_finite"] == "rate"
        check_history(client, found, store.history("digits", trial.key))
        artifacts = {
            item.path
            for folder in ("trial", "figures")
            for item in client.list_artifacts(found.info.run_id, folder)
        }
        assert artifacts == {"trial/config.json", "trial/model.safetensors", "figures/reconstructions.png"}
    annealed = children[trials[-1].key].data.params
    assert {name: annealed[name] for name in ("capacity", "capacity.to", "gamma")} == {
        "capacity": "linear(0→10)",
        "capacity.to": "10",
        "gamma": "10",
    }
    experiment = client.get_experiment_by_name(study)
    models = client.search_logged_models([experiment.experiment_id])
    assert sorted(model.source_run_id for model in models) == sorted(
        run.info.run_id for run in children.values()
    )


def check_history(client: MlflowClient, found: Run, history) -> None:
    """Every finite value of history.parquet, once, at its step, and no other."""
    logged = {name for name in found.data.metrics if name.startswith(("training/", "latents/"))}
    finite = {term for term in history.columns.drop("step") if np.isfinite(history[term]).all()}
    assert logged == {run_record.curve_name(term) for term in finite}
    # Every curve of one trial over http is many requests; two tell the story.
    for term in ("distortion", "rate_1") if "rate_1" in finite else ("distortion",):
        curve = client.get_metric_history(found.info.run_id, run_record.curve_name(term))
        assert [(point.step, point.value) for point in curve] == list(
            zip(history["step"], history[term], strict=True)
        )


def test_a_study_in_a_file(sqlite: str, root: Path, trials: list[Trial]):
    check_study(sqlite, "story", root, trials)
    assert (root / "mlflow.db").exists()
    assert not (Path.cwd() / "mlruns").exists()


def test_a_study_on_a_server(server: str, root: Path, trials: list[Trial]):
    check_study(server, "story", root, trials[::2])
    assert not (root / "mlflow.db").exists()


@pytest.mark.parametrize("family", names())
def test_models_load_and_encode_as_trained(sqlite: str, root: Path, family: str):
    store = Store(root)
    trial = trial_of(store, family)
    list(train([trial], store))
    sync_runs(Tracker.open(sqlite, "story", root), [trial], store)
    client = client_of(sqlite, root)
    _, children = runs(client, "story")
    uri = f"runs:/{children[trial.key].info.run_id}/model"
    ready = store.read_ready("digits")
    model = load_model(trial, ready, store)
    batch = sampler_of(ready, images_of(ready), needs_of(family, trial.hyper)).batch(torch.arange(20))
    expected = encode(model, batch)
    path = list(sys.path)
    try:
        found = encode(mlflow.pytorch.load_model(uri), batch)
    finally:
        sys.path[:] = path  # MLflow puts the model's own copy of vaecore there
    torch.testing.assert_close(found._asdict(), expected._asdict(), rtol=0, atol=0)
    weights = client.download_artifacts(children[trial.key].info.run_id, "trial/model.safetensors", str(root))
    assert load_file(weights).keys() == model.state_dict().keys()


def test_a_model_loads_where_this_repository_is_not(
    sqlite: str, root: Path, trials: list[Trial], tmp_path: Path
):
    sync_runs(Tracker.open(sqlite, "story", root), trials[:1], Store(root))
    _, children = runs(client_of(sqlite, root), "story")
    program = (
        "import mlflow, sys\n"
        f"mlflow.set_tracking_uri('sqlite:///{root}/mlflow.db')\n"
        f"family = mlflow.pytorch.load_model('runs:/{children[trials[0].key].info.run_id}/model')\n"
        "import vaecore\n"
        "print(type(family).__name__, vaecore.__file__)\n"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=elsewhere, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    family, file = done.stdout.split()
    assert family == "VAE"
    assert "/model/code/vaecore/" in file


def test_a_trial_that_was_trained_anew_takes_the_place_of_the_old(
    sqlite: str, root: Path, trials: list[Trial]
):
    store, trial = Store(root), trials[0]
    result, history = store.result("digits", trial.key), store.history("digits", trial.key)
    Tracker.open(sqlite, "story", root).finish_trial(trial, result, history)
    client = client_of(sqlite, root)
    before = runs(client, "story")[1][trial.key].info.run_id
    again = {**result, "seconds": result["seconds"] + 1}
    Tracker.open(sqlite, "story", root).finish_trial(trial, again, history)
    _, children = runs(client, "story")
    assert children[trial.key].info.run_id != before
    check_history(client, children[trial.key], history)


def test_logging_that_was_cut_off_is_done_again(
    sqlite: str, root: Path, trials: list[Trial], monkeypatch: pytest.MonkeyPatch
):
    store, trial = Store(root), trials[0]

    def cut_off(*arguments):
        raise KeyboardInterrupt

    tracker = Tracker.open(sqlite, "story", root)
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.tracking.tracker.log_model", cut_off)
        with pytest.raises(KeyboardInterrupt):
            sync_runs(tracker, [trial], store)
    client = client_of(sqlite, root)
    assert runs(client, "story")[1][trial.key].info.status == "RUNNING"
    sync_runs(Tracker.open(sqlite, "story", root), [trial], store)
    (parent,), children = runs(client, "story")
    assert children[trial.key].info.status == parent.info.status == "FINISHED"
    check_history(client, children[trial.key], store.history("digits", trial.key))


def test_failed_and_diverged_trials_are_marked_and_succeed_in_the_same_run(
    sqlite: str, root: Path, trials: list[Trial]
):
    store = Store(root)
    trial, diverged = trials[0], trials[1]
    history = store.history("digits", diverged.key)
    result = {**store.result("digits", diverged.key), "status": "diverged", "diverged_at": 7}
    tracker = Tracker.open(sqlite, "story", root)
    tracker.start_trial(trial)
    tracker.fail_trial(trial, "RuntimeError: broken")
    tracker.finish_trial(diverged, result, history)
    client = client_of(sqlite, root)
    _, children = runs(client, "story")
    failed = children[trial.key]
    assert (failed.info.status, failed.data.tags["failure"]) == ("FAILED", "RuntimeError: broken")
    assert children[diverged.key].info.status == "FAILED"
    assert children[diverged.key].data.tags["status"] == "diverged"
    assert children[diverged.key].data.tags["diverged_at"] == "7"

    sync_runs(Tracker.open(sqlite, "story", root), [trial], store)
    _, children = runs(client, "story")
    assert children[trial.key].info.run_id == failed.info.run_id
    assert children[trial.key].info.status == "FINISHED"
    assert children[trial.key].data.tags["status"] == "finished"
    assert "failure" not in children[trial.key].data.tags


def test_an_interrupted_trial_goes_on_in_its_run(sqlite: str, root: Path, store: Store):
    new = trial_of(store, "vae", seed=7)
    for _ in range(2):
        tracker = Tracker.open(sqlite, "interrupted", root)
        tracker.start_trial(new)
        assert runs(client_of(sqlite, root), "interrupted")[1][new.key].info.status == "RUNNING"
        sync_runs(tracker, [new], Store(root))
        found = runs(client_of(sqlite, root), "interrupted")[1][new.key]
        assert (found.info.status, found.data.tags["status"]) == ("KILLED", "interrupted")


def test_a_failure_is_noted_once(sqlite: str, root: Path, store: Store, tmp_path: Path):
    broken = trial_of(store, "vae", 99)
    own = Store(tmp_path / "own")
    record_failure(broken, own, "RuntimeError: broken", "traceback")
    for _ in range(2):
        sync_runs(Tracker.open(sqlite, "story", root), [broken], own)
    _, children = runs(client_of(sqlite, root), "story")
    assert children[broken.key].info.status == "FAILED"


def test_scores_that_change_are_logged_and_others_are_not(sqlite: str, root: Path, trials: list[Trial]):
    trial = trials[0]
    tracker = Tracker.open(sqlite, "story", root)
    sync_runs(tracker, [trial], Store(root))
    tracker.log_scores(trial, {"mig": 0.25, "rate": math.inf})
    tracker.log_scores(trial, {"mig": 0.25, "rate": 2.0})
    client = client_of(sqlite, root)
    found = runs(client, "story")[1][trial.key]
    assert found.data.metrics["score/rate"] == 2.0
    assert found.data.tags["scores_not_finite"] == ""
    assert len(client.get_metric_history(found.info.run_id, "score/mig")) == 1


def test_runs_are_found_on_every_page(
    sqlite: str, root: Path, trials: list[Trial], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("pipeline.tracking.experiment.RUNS_PER_PAGE", 2)
    for _ in range(2):
        tracker = Tracker.open(sqlite, "story", root)
        for trial in trials:
            tracker.start_trial(trial)
    assert len(runs(client_of(sqlite, root), "story")[1]) == len(trials)


def test_more_metrics_than_a_request_takes(
    sqlite: str, root: Path, trials: list[Trial], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("pipeline.tracking.mlflow_run.METRICS_PER_REQUEST", 7)
    store, trial = Store(root), trials[0]
    sync_runs(Tracker.open(sqlite, "story", root), [trial], store)
    client = client_of(sqlite, root)
    check_history(client, runs(client, "story")[1][trial.key], store.history("digits", trial.key))


# --- stores that cannot be used -----------------------------------------------------------------------------


def test_a_server_that_is_down(root: Path):
    began = time.monotonic()
    with pytest.raises(
        UserError, match=r"tracking\.uri: .* cannot be reached: nothing listens .*mlflow server --port"
    ):
        Tracker.open(f"http://127.0.0.1:{free_port()}", "story", root)
    assert time.monotonic() - began < 10


def test_a_server_that_does_not_answer(root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(address, "ANSWER_SECONDS", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(UserError, match=r"no answer within 0\.5 s"):
            Tracker.open(f"http://127.0.0.1:{silent.getsockname()[1]}", "story", root)


def test_a_server_that_goes_away(
    root: Path, trials: list[Trial], sqlite: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    tracker = Tracker.open(sqlite, "story", root)
    tracker.experiment.client = MlflowClient(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(
        UserError, match=r"tracking\.uri: the MLflow store .* failed.*`dvc repro` logs what is missing"
    ):
        tracker.start_trial(trials[0])


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("sqlite:///file/mlflow.db", "cannot be written"),
        ("sqlite:///text", "not a database.*Move that file away"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("mlruns", "no store that MLflow keeps runs in"),
        ("file:///runs", "no store that MLflow keeps runs in"),
        ("http://", "names no host"),
    ],
)
def test_uris_that_cannot_be(root: Path, uri: str, message: str):
    (root / "file").write_text("")
    (root / "text").write_text("this is no database " * 100)
    with pytest.raises(UserError, match=rf"(?s)tracking\.uri: .*{message}"):
        Tracker.open(uri, "story", root)


def test_a_server_that_is_not_mlflow(root: Path, tmp_path: Path):
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        with pytest.raises(UserError, match=r"tracking\.uri: the MLflow store .* failed"):
            Tracker.open(f"http://127.0.0.1:{port}", "story", root)
    finally:
        process.terminate()
        process.wait(timeout=10)


def test_an_experiment_that_was_deleted(sqlite: str, root: Path):
    Tracker.open(sqlite, "story", root)
    client = client_of(sqlite, root)
    client.delete_experiment(client.get_experiment_by_name("story").experiment_id)
    with pytest.raises(UserError, match=r"'story' was deleted .*mlflow experiments restore"):
        Tracker.open(sqlite, "story", root)


def test_passwords_are_not_shown(root: Path):
    with pytest.raises(UserError) as caught:
        Tracker.open(f"http://me:secret@127.0.0.1:{free_port()}", "story", root)
    assert "secret" not in str(caught.value)


def test_nobodys_usage_is_counted():
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"

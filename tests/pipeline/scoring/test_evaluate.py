"""The stage: every metric gets its arrays, a failure stays alone, nothing is computed twice or lost."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from mlflow.tracking import MlflowClient

import metrics
from metrics import uncertainty
from metrics.vocabulary import Source, arrays_from
from pipeline import evaluate
from pipeline.errors import UserError
from pipeline.reporting.outcome import read
from pipeline.reporting.summary import summarise
from pipeline.scoring import score_cache
from pipeline.scoring.computation import BatchByBatch, score, seed_of
from pipeline.scoring.encoding import collect
from pipeline.scoring.metric_task import score_metric
from pipeline.scoring.sampling import real, samples
from pipeline.store.layout import Store
from pipeline.study.applicability import inapplicable
from pipeline.study.expansion import needs_of
from pipeline.study.metric_call import MetricCall
from pipeline.study.metric_settings import read_call
from pipeline.study.model import images_of, load_model, sampler_of
from pipeline.study.params import load
from pipeline.study.trial import Trial
from tests.metrics.expectations import expected
from tests.pipeline.small_study import FEW, configure, prepare, train_all, trials_of
from tests.vaecore.small import example
from vaecore.families import family_class, names, reference

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def entries(store: Store, trial: Trial) -> dict[str, Any]:
    """Metric -> {"digest", "values", "split", "seconds"}"""
    return store.trial_scores("digits", trial.key)["metrics"]


# --- one metric -------------------------------------------------------------------------------------------


def test_a_metric_is_computed_on_the_rows_of_its_folder():
    held_out = np.arange(40) % 4 == 0
    mean = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    groups = np.abs(mean).astype(np.float64)
    rate = {"rate": groups.sum(axis=1), "rate_per_group": groups}
    given = {"held_out": held_out, "key": "k"}
    found = score(read_call("rate", {}), rate, **given)
    assert found.split == "test"
    assert found.values == metrics.function("rate")(**{name: nats[held_out] for name, nats in rate.items()})
    whole = score(read_call("rate", {}), rate, **{**given, "held_out": None})
    assert (whole.split, whole.values) == ("train", metrics.function("rate")(**rate))
    factors = np.stack([np.arange(40) % 2, np.arange(40) % 5], axis=1)
    all_rows = score(read_call("mig", {"bins": 4}), {"codes": mean, "factors": factors}, **given)
    assert all_rows.split == "all"
    assert all_rows.values == metrics.function("mig")(codes=mean, factors=factors, bins=4)


def test_random_numbers_are_the_trials_and_the_metrics_own(monkeypatch: pytest.MonkeyPatch):
    own = {"mig": lambda codes, rng: {"mig": rng.random()}, "sap": lambda codes, rng: {"sap": rng.random()}}
    monkeypatch.setattr(metrics, "function", own.get)
    calls = [MetricCall(name, {}, {}, frozenset(["codes", "rng"])) for name in own]
    found = [
        score(call, {"codes": 0}, held_out=None, key=key).values[call.name] for call in calls for key in "ab"
    ]
    assert len(set(found)) == 4
    assert found[0] == np.random.default_rng(seed_of("a", "mig")).random()


def test_a_metric_that_fails_says_why(monkeypatch: pytest.MonkeyPatch):
    def fails(codes):
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(metrics, "function", lambda name: fails)
    found = score_metric(
        MetricCall("mig", {}, {}, frozenset(["codes"])), "k", {}, ["codes"], np.zeros((3, 2))
    )
    assert isinstance(found, str)
    assert found.startswith("RuntimeError: broken on purpose (test_evaluate.py, line ")


def test_a_metric_of_images_is_a_mean_over_batches():
    rng = np.random.default_rng(0)
    images, reconstructions = rng.random((2, 30, 1, 8, 8))
    metric = BatchByBatch(read_call("mse", {}))
    for start in (0, 16, 20):
        stop = {0: 16, 16: 20, 20: 30}[start]
        metric.add(images[start:stop], reconstructions[start:stop])
    expected = metrics.function("mse")(images=images, reconstructions=reconstructions)
    assert metric.result(True).values == pytest.approx(expected, rel=1e-12)
    assert (metric.result(True).split, metric.result(False).split) == ("test", "train")


def test_a_metric_of_images_that_fails_raises_when_its_result_is_read(monkeypatch: pytest.MonkeyPatch):
    def fails(images):
        raise ValueError("no such pixel")

    monkeypatch.setattr(metrics, "function", lambda name: fails)
    metric = BatchByBatch(MetricCall("mse", {}, {}, frozenset(["images"])))
    metric.add(np.zeros((2, 1, 8, 8)), np.zeros((2, 1, 8, 8)))
    with pytest.raises(ValueError, match="no such pixel"):
        metric.result(True)


# --- every metric -----------------------------------------------------------------------------------------

ALL = sorted(metrics.names())
INTERVALS: dict[str, dict[str, Any]] = {
    "distortion": {"n_resamples": 8},
    "knn_accuracy": {"n_resamples": 4, "confidence": 0.5},
}


def kind(name: str) -> tuple[object, ...]:
    """The facts about a family that matter to an evaluation: its objective does not."""
    cls = family_class(name)
    return cls.posterior, cls.prior, cls.conditioned, cls.has_prior, cls.has_density, cls.has_moments


KINDS = sorted({kind(name): name for name in [*names(), reference()]}.values())
"""A family of each kind."""


class Everything(NamedTuple):
    store: Store
    trials: list[Trial]
    said: str


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Everything:
    """Two seeds of each kind of family, every metric, on data with labels and factors. Tests only read it."""
    store = Store(tmp_path_factory.mktemp("everything"))
    prepare(store)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(store.root)
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.delenv("RAY_OVERRIDE_RESOURCES", raising=False)  # all cores
        patch.setenv("PYTHONPATH", str(ROOT))
        configure(
            {name: INTERVALS.get(name, expected(name).settings) for name in ALL},
            families={name: example(name) for name in KINDS},
            seeds=[0, 1],
            untrained=False,
        )
        trials = train_all(store)
        with contextlib.redirect_stdout(io.StringIO()) as said:
            evaluate.main()
    return Everything(store, trials, said.getvalue())


@pytest.mark.parametrize("family", KINDS)
def test_every_metric_gets_its_arrays_on_the_rows_it_says(everything: Everything, family: str):
    store, trials, _ = everything
    ready = store.read_ready("digits")
    own, other = (trial for trial in trials if trial.family == family)
    images = images_of(ready)
    sampler = sampler_of(ready, images, needs_of(family, own.hyper))
    seen, peer = (
        collect(
            load_model(trial, ready, store), sampler, sorted(arrays_from(Source.PASS)),
            batch_size=64, seed=seed_of(trial.key, "posterior samples"),
        )
        for trial in (own, other)
    )  # fmt: skip
    model, test = load_model(own, ready, store), ready.test
    assert test is not None
    with torch.inference_mode():
        unseen = sampler.batch(torch.from_numpy(np.flatnonzero(test)))
        pictures = {"images": unseen.x.numpy(), "reconstructions": model.reconstruct(unseen).numpy()}
    arrays = {
        **seen, "peer_mean": peer["mean"][None], "peer_std": peer["std"][None],
        "factors": ready.factors, "labels": ready.labels, "targets": ready.labels, "test": test,
        "real": real(images, test, 40, seed_of(own.key, "real images")),
        **pictures,
    }  # fmt: skip
    if model.has_prior:
        seed = seed_of(own.key, "prior samples")
        arrays["samples"] = samples(model, 40, seed, batch_size=64, sampler=sampler, rows=test)
    found = entries(store, own)
    for name in ALL:
        needs = read_call(name, {}).arrays
        if inapplicable(name, own, ready, peers=True):
            assert name not in found
            continue
        given = {argument: arrays[argument] for argument in needs & arrays.keys()}
        if metrics.names()[name] in ("reconstruction", "rate", "samples"):
            given = {
                argument: array if argument in {"real", "samples", *pictures} else array[test]
                for argument, array in given.items()
            }
        given |= {
            argument: value
            for argument, value in {"dimensions": 64, "bin_width": 1.0}.items()
            if argument in needs
        }
        rng = np.random.default_rng(seed_of(own.key, name))
        if name in INTERVALS:
            values = uncertainty.interval(name, given, rng, **INTERVALS[name])
            assert {f"{name}_low", f"{name}_high"} <= set(found[name]["values"])
        else:
            given |= {"rng": rng} if "rng" in needs else {}
            values = metrics.function(name)(**given, **expected(name).settings)
        # float32 matrix products of other sizes (all rows decoded here, held-out ones there) round otherwise
        assert found[name]["values"] == pytest.approx(values, rel=1e-4, abs=1e-5), name
        in_folder = {"disentanglement": "all"}.get(metrics.names()[name], "test")
        assert found[name]["split"] == in_folder, name


@pytest.mark.parametrize("family", [name for name in KINDS if family_class(name).deterministic])
def test_a_deterministic_code_has_an_infinite_rate_and_no_samples(everything: Everything, family: str):
    store, trials, _ = everything
    found = entries(store, next(trial for trial in trials if trial.family == family))
    assert found["rate"]["values"]["rate"] == found["negative_elbo"]["values"]["negative_elbo"] == math.inf
    assert math.isfinite(found["distortion"]["values"]["distortion"])
    assert set(ALL) - set(found) == {name for name in ALL if "samples" in read_call(name, {}).arrays}


def test_what_does_not_apply_is_said_with_its_reason(everything: Everything):
    """By the stage, and in the report in the place of the value."""
    store, trials, said = everything
    for name in KINDS:
        cls = family_class(name)
        lines = [line for line in said.splitlines() if f"does not apply to {name} on digits: " in line]
        expected = {}
        if not cls.has_prior:
            expected["frechet_distance, prdc"] = "the family has no prior to draw samples from"
        if cls.prior not in (None, "standard_normal"):
            presume = [metric for metric in ALL if metrics.describe(metric).standard_normal]
            assert {"udr", "kl_decomposition"} <= set(presume)
            expected[", ".join(presume)] = f"it presumes the prior N(0, I), and {name} has another one"
        assert lines == [
            f"evaluate: does not apply to {name} on digits: {left}: {why}" for left, why in expected.items()
        ]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(store.root)
        table = summarise(read(load(), store), "digits")
    assert {column.name for column in table.columns} == set(ALL)
    ready = store.read_ready("digits")
    for row in table.rows:
        for column, cell in zip(table.columns, row.cells, strict=True):
            why = inapplicable(column.name, row.setting.trials[0], ready, peers=True)
            assert (cell.text == "–") == (why is not None), column.name
            if why is not None:
                assert cell.note == f"it does not apply: {why}"
    assert len(trials) == 2 * len(KINDS)


def test_results_do_not_depend_on_the_number_of_workers(
    everything: Everything, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store, trials, _ = everything
    shutil.copytree(store.root, tmp_path / "copy")
    again = Store(tmp_path / "copy")
    shutil.rmtree(again.scores("digits"))
    monkeypatch.chdir(again.root)
    content = yaml.safe_load(Path("params.yaml").read_text())
    Path("params.yaml").write_text(yaml.safe_dump({**content, "families": {"vae": {}}}))
    evaluate.main()
    compared = [trial for trial in trials if trial.family == "vae"]
    assert len(compared) == 2
    for trial in compared:
        one, other = entries(store, trial), entries(again, trial)
        assert {name: entry["values"] for name, entry in one.items()} == {
            name: entry["values"] for name, entry in other.items()
        }


# --- the stage --------------------------------------------------------------------------------------------


@pytest.fixture
def study(digits_store: Store, empty_mlflow: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Three trained models and an untrained one, in the current folder; nothing scored."""
    monkeypatch.chdir(digits_store.root)
    shutil.copy(empty_mlflow, digits_store.root)
    configure(FEW)
    train_all(digits_store)
    return digits_store


def test_the_stage_from_nothing_to_nothing_to_do(study: Store, capsys: pytest.CaptureFixture[str]):
    trials = trials_of(load(), study)
    broken = study.run("digits", trials[1].key) / "model.safetensors"
    whole = broken.read_bytes()
    broken.write_bytes(b"\xff" * len(whole))

    # One model cannot be read: the others are scored, and the stage says which failed.
    with pytest.raises(
        UserError,
        match=r"1 could not be computed(?s:.*)digits beta_vae beta=1 seed=0: "
        r".*model\.safetensors is damaged .*Remove",
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
    assert list(table.columns) == list(score_cache.COLUMNS)
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
        assert {Path(item.path).name for item in figures} == score_cache.PICTURES

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


Own = Callable[[str, str], None]

STATED = "\nTITLE, UNIT, HIGHER_IS_BETTER, RANGE, BLIND_TO, COST = 'Own', '', None, (0, 1), 'All.', 'O(1).'\n"
"""What the module of a metric states."""


@pytest.fixture
def own_metric(study: Store, monkeypatch: pytest.MonkeyPatch) -> Own:
    """``own_metric(name, source)`` adds a metric to the folder representation, here and in Ray's workers."""
    import metrics.representation as folder

    place = study.root / "own"
    place.mkdir()
    monkeypatch.setattr(folder, "__path__", [*folder.__path__, str(place)])
    # Python imports it when a process starts: Ray's workers have the current folder in their path.
    (study.root / "sitecustomize.py").write_text(
        f"import metrics.representation\nmetrics.representation.__path__.append({str(place)!r})\n"
    )

    def write(name: str, source: str) -> None:
        (place / f"{name}.py").write_text(textwrap.dedent(source) + STATED)

    return write


def test_what_fails_fails_alone(study: Store, own_metric: Own, capsys: pytest.CaptureFixture[str]):
    own_metric("kills", "import os\ndef kills(codes):\n    os._exit(3)")
    own_metric("fails", "def fails(codes):\n    raise RuntimeError('broken on purpose')")
    own_metric(
        "kinship",
        """
        def kinship(mean, peer_mean, peer_std):
            return {"kinship": abs(mean - peer_mean[0]).mean(), "kinship_peers": len(peer_std)}
        """,
    )
    names = ["kills", "fails", "kinship", "mse", "rate", "knn_accuracy"]
    configure(names, families={"vae": {}}, seeds=[0, 1], untrained=False)
    trials = train_all(study)
    with pytest.raises(UserError, match="4 could not be computed") as error:
        evaluate.main()
    for seed in (0, 1):
        assert f"digits vae seed={seed}: fails: RuntimeError: broken on purpose (fails.py, line 2)" in str(
            error.value
        )
        assert f"digits vae seed={seed}: kills: WorkerCrashedError" in str(error.value)
    assert "/2] digits vae seed=0: 6 metrics and pictures, " in (output := capsys.readouterr().out)
    assert output.count(" s, 2 failed\n") == 2
    for trial in trials:
        assert set(entries(study, trial)) == {"kinship", "mse", "rate", "knn_accuracy"}
    kin = [entries(study, trial)["kinship"]["values"] for trial in trials]
    assert kin[0] == kin[1], "the distance of two models is the same from both ends"
    assert kin[0]["kinship_peers"] == 1

    # A peer whose model cannot be read: its peers' other metrics are computed, and what waits for it says so.
    names = ["kinship", "rate", "mse", "active_units"]
    configure(names, families={"vae": {}}, seeds=[0, 1, 2], untrained=False)
    trials = train_all(study)
    (study.run("digits", trials[1].key) / "model.safetensors").write_bytes(
        b"\xff" * (study.run("digits", trials[1].key) / "model.safetensors").stat().st_size
    )
    with pytest.raises(UserError, match="3 could not be computed") as error:
        evaluate.main()
    message = str(error.value)
    assert "digits vae seed=1: " in message
    for seed in (0, 2):
        assert f"digits vae seed={seed}: kinship: its peer vae seed=1: " in message
    assert set(entries(study, trials[0])) - {"knn_accuracy"} == {"rate", "mse", "active_units"}
    assert set(entries(study, trials[2])) == {"rate", "mse", "active_units"}


def test_an_interruption_loses_what_was_under_way(
    study: Store, own_metric: Own, monkeypatch: pytest.MonkeyPatch
):
    own_metric(
        "waits",
        f"""
        import os, time
        from pathlib import Path

        def waits(codes):
            root = Path({str(study.root)!r})
            (root / f"waiting-{{os.getpid()}}").touch()
            while not (root / "go").exists():
                time.sleep(0.02)
            return {{"waits": 1.0}}
        """,
    )
    names = [*FEW, "waits"]
    configure(names)
    trials = trials_of(load(), study)
    driver = subprocess.Popen(
        [sys.executable, "-m", "pipeline.evaluate"],
        env={**os.environ, "PYTHONPATH": f"{study.root}:{ROOT}"},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        # A shell that runs the suite in the background has all below it ignore interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and driver.poll() is None:
        if list(study.root.glob("waiting-*")) and any(entries(study, trial) for trial in trials):
            break
        time.sleep(0.05)
    driver.send_signal(signal.SIGINT)
    assert driver.wait(60) == 130, driver.communicate()
    assert "interrupted; finished work is kept" in driver.communicate()[1]
    before = {trial.key: entries(study, trial) for trial in trials}
    assert any(before.values())
    (study.root / "go").touch()
    evaluate.main()
    for trial in trials:
        after = entries(study, trial)
        assert set(after) == set(names)
        assert before[trial.key].items() <= after.items(), "a score was computed again"

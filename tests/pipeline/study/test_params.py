"""Every mistake in params.yaml is an error that names the key, the value and what is allowed."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.errors import UserError
from pipeline.study.hyper_grid import hyper_points
from pipeline.study.model_settings import Model
from pipeline.study.params import Params, check_training, load

GOOD: dict[str, Any] = {
    "study": "test",
    "datasets": {"digits": {"test_fraction": 0.2}},
    "families": {"vae": {}, "beta_vae": {"beta": [1, 4]}},
    "seeds": [0, 1],
    "model": {"network": {"name": "mlp", "hidden": [16]}, "latents": 4, "likelihood": "bernoulli"},
    "training": {"steps": 10, "batch_size": 8, "learning_rate": 0.001},
    "untrained": False,
    "overrides": {},
    "scheduling": {},
    "evaluation": {"metrics": ["rate", "distortion"]},
    "tracking": {},
}


def checked(content: Any, folder: Path):
    path = folder / "params.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
    params = load(path)
    check_training(params)
    return params


def changed(path: str, value: Any) -> dict[str, Any]:
    content = copy.deepcopy(GOOD)
    *parents, last = path.split(".")
    inner = content
    for parent in parents:
        inner = inner.setdefault(parent, {})
    inner[last] = value
    return content


def test_the_committed_studies_are_valid():
    root = Path(__file__).parents[3]
    for path in [root / "params.yaml", *sorted((root / "studies").glob("*.yaml"))]:
        check_training(load(path))


def test_studies_compute_irs_by_the_protocol_of_disentanglement_lib():
    studies = sorted((Path(__file__).parents[3] / "studies").glob("*.yaml"))
    requested = {path.stem: load(path).evaluation.metrics for path in studies}
    found = {name: of["irs"] for name, of in requested.items() if "irs" in of}
    assert "beta_capacity" in found
    assert found == {name: {"factor_bins": 20} for name in found}


MISTAKES = {
    "unknown key": ("sedes", [0], ["sedes", "unknown key", "seeds"]),
    "unknown inner key": ("scheduling.gpus", 1, ["scheduling.gpus", "unknown key"]),
    "unknown training key": ("training.epochs", 3, ["training", "epochs", "batch_size"]),
    "unknown data set": ("datasets.mnits", {}, ["datasets.mnits", "digits, dsprites"]),
    "unknown data set option": ("datasets.digits", {"size": 3}, ["datasets.digits", "size"]),
    "unknown family": ("families.betavae", {}, ["betavae", "beta_vae", "vaecore/families"]),
    "unknown hyper-parameter": ("families.vae", {"beta": 2}, ["families.vae", "beta"]),
    "missing hyper-parameter": ("families.beta_vae", {}, ["families.beta_vae.beta", "needs a value"]),
    "unknown metric": ("evaluation.metrics", ["mgi"], ["mgi", "mig", "beta_vae_score"]),
    "unknown metric setting": (
        "evaluation.metrics",
        {"mig": {"bin": 3}},
        ["evaluation.metrics.mig", "bin", "bins"],
    ),
    "unknown network": ("model.network", "resnet", ["resnet", "conv", "mlp"]),
    "unknown likelihood": ("model.likelihood", "laplace", ["laplace", "bernoulli", "gaussian"]),
    "unknown schedule": (
        "families.beta_vae.beta",
        {"schedule": "liner", "from": 0, "to": 1, "steps": 5},
        ["families.beta_vae.beta", "liner", "linear", "cyclical"],
    ),
    "negative beta": ("families.beta_vae.beta", [1, -4], ["families.beta_vae.beta", "-4"]),
    "negative beta in a schedule": (
        "families.beta_vae.beta",
        {"schedule": "linear", "from": -1, "to": 1, "steps": 5},
        ["families.beta_vae.beta", "-1"],
    ),
    "empty grid": ("families.beta_vae.beta", [], ["families.beta_vae.beta", "empty"]),
    "value listed twice": ("families.beta_vae.beta", [4, 4.0], ["families.beta_vae.beta", "twice"]),
    "no families": ("families", {}, ["families"]),
    "no seeds": ("seeds", [], ["seeds"]),
    "seed twice": ("seeds", [1, 1], ["seeds", "[1, 1]"]),
    "wrong type": ("training.steps", "many", ["training.steps", "many"]),
    "fractional steps": ("training.steps", 1.5, ["training", "steps", "1.5"]),
    "negative steps": ("training.steps", -1, ["training", "steps", "-1"]),
    "beta as words": ("families.beta_vae.beta", "high", ["families.beta_vae.beta", "high"]),
    "precision": ("training.precision", "float16", ["precision", "float16", "bfloat16"]),
    "override of another data set": ("overrides.mnist", {}, ["overrides.mnist", "digits"]),
    "override of an unknown key": (
        "overrides.digits",
        {"model": {"net": 1}},
        ["overrides.digits.model", "net"],
    ),
    "negative cpu": ("scheduling.cpu", -1, ["scheduling.cpu", "-1"]),
    "one and a half cores": ("scheduling.cpu", 1.5, ["scheduling.cpu", "whole", "1.5"]),
    "no trial in a pack": ("scheduling.pack", 0, ["scheduling.pack", "auto", "≥ 1", "got 0"]),
    "half a trial": ("scheduling.pack", 2.5, ["scheduling.pack", "whole number", "got 2.5"]),
    "a word for a pack": ("scheduling.pack", "all", ["scheduling.pack", "auto", "got 'all'"]),
    "yes to a pack": ("scheduling.pack", True, ["scheduling.pack", "got True"]),
    "an array as a metric's setting": (
        "evaluation.metrics",
        {"logistic_accuracy": {"test": 1}},
        ["evaluation.metrics.logistic_accuracy", "'test'"],
    ),
    "study name": ("study", "a/b", ["study", "a/b"]),
    "test fraction": ("datasets.digits", {"test_fraction": 1.5}, ["datasets.digits.test_fraction", "1.5"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named(mistake: str, tmp_path: Path):
    path, value, expected = MISTAKES[mistake]
    with pytest.raises(UserError) as error:
        checked(changed(path, value), tmp_path)
    message = str(error.value)
    assert message.startswith("params.yaml")
    for part in expected:
        assert part in message
    assert message.count("\n") < 20


def test_a_missing_key_is_named(tmp_path: Path):
    assert set(GOOD) == set(Params.model_fields)
    for key in GOOD:
        with pytest.raises(UserError, match=f"{key}: is missing"):
            checked({name: value for name, value in GOOD.items() if name != key}, tmp_path)


def test_no_file_no_yaml_no_mapping(tmp_path: Path):
    with pytest.raises(UserError, match="no such file"):
        load(tmp_path / "params.yaml")
    with pytest.raises(UserError, match="not YAML"):
        checked("study: [1", tmp_path)
    with pytest.raises(UserError, match="expected keys and values"):
        checked("- a list", tmp_path)


def test_a_list_is_a_grid_and_numbers_have_one_spelling(tmp_path: Path):
    params = checked(GOOD, tmp_path)
    assert hyper_points("beta_vae", params.families["beta_vae"]) == [{"beta": 1.0}, {"beta": 4.0}]
    assert isinstance(hyper_points("beta_vae", {"beta": 1})[0]["beta"], float)
    grid = {"gamma": [1, 2], "capacity": [3, {"schedule": "linear", "from": 0, "to": 5, "steps": 10}]}
    points = hyper_points("annealed_vae", grid)
    assert len(points) == 4
    scheduled = {"from": 0.0, "schedule": "linear", "steps": 10.0, "to": 5.0}
    assert {"capacity": scheduled, "gamma": 1.0} in points
    assert {"capacity": 3.0, "gamma": 2.0} in points


def test_an_override_changes_its_data_set_only(tmp_path: Path):
    content = changed("overrides.digits", {"model": {"latents": 7}, "training": {"steps": 3}})
    content["datasets"]["dsprites"] = {}
    params = checked(content, tmp_path)
    assert (params.model_of("digits").latents, params.model_of("dsprites").latents) == (7, 4)
    assert (params.training_of("digits").steps, params.training_of("dsprites").steps) == (3, 10)
    assert params.model_of("digits").network == GOOD["model"]["network"]


def test_how_trials_are_packed_is_no_part_of_what_they_are(tmp_path: Path):
    assert checked(GOOD, tmp_path).scheduling.pack == "auto"
    assert checked(changed("scheduling.pack", 3), tmp_path).scheduling.pack == 3


SIGMAS = [{"name": "gaussian", "sigma": sigma} for sigma in (0.05, 0.1)]


GRIDS: dict[str, list[Any]] = {
    "network": ["conv", {"name": "mlp", "hidden": [8]}, "mlp"],
    "initialization": ["kaiming", "orthogonal"],
    "latents": [2, 4],
    "likelihood": [*SIGMAS, "bernoulli"],
    "corruption": ["none", {"name": "noise", "sigma": 0.3}],
}


def test_every_setting_of_the_model_may_be_a_grid(tmp_path: Path):
    assert set(GRIDS) == set(Model.model_fields)
    for setting, values in GRIDS.items():
        model = checked(changed(f"model.{setting}", values), tmp_path).model_of("digits")
        assert model.varied == [setting]
        assert model.values(setting) == values
        assert [point[setting] for point in model.points()] == values
        single = checked(changed(f"model.{setting}", values[:1]), tmp_path).model_of("digits")
        assert (single.varied, single.values(setting)) == ([], values[:1])
    plain = checked(GOOD, tmp_path).model_of("digits")
    assert plain.varied == []
    assert plain.points() == [{**GOOD["model"], "initialization": None, "corruption": "none"}]


def test_the_noise_of_the_data_is_a_value_of_its_own(tmp_path: Path):
    values = [{"name": "gaussian", "sigma": sigma} for sigma in (1.0, "data", "learned")]
    assert checked(changed("model.likelihood", values), tmp_path).model.values("likelihood") == values


def test_a_value_that_an_override_lists_twice_is_named_there(tmp_path: Path):
    message = "params.yaml: overrides.digits.model.network: list each value once"
    with pytest.raises(UserError, match=re.escape(message)):
        checked(changed("overrides.digits", {"model": {"network": ["mlp", {"name": "mlp"}]}}), tmp_path)


def test_grids_of_the_model_are_combined(tmp_path: Path):
    model = checked(changed("model", GRIDS), tmp_path).model_of("digits")
    assert model.varied == list(Model.model_fields)
    points = model.points()
    assert len(points) == 3 * 2 * 2 * 3 * 2
    assert all(points.count(point) == 1 for point in points)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        *((setting, [], f"the grid is empty; name at least one {setting}") for setting in GRIDS),
        *((setting, values[:1] * 2, "each value once") for setting, values in GRIDS.items()),
        (
            "likelihood",
            [{"name": "gaussian", "sigma": 1}, {"name": "gaussian", "sigma": 1.0}],
            "each value once",
        ),
        (
            "network",
            ["mlp", {"name": "mlp"}],
            "model.network: list each value once, got ['mlp', {'name': 'mlp'}]",
        ),
        ("network", ["mlp", {"name": "mlp", "hidden": [256.0, 256]}], "each value once"),
        ("corruption", [{"name": "none"}, "none"], "model.corruption: list each value once"),
        (
            "likelihood",
            [{"name": "gaussian", "sigma": "data"}, {"sigma": "data", "name": "gaussian"}],
            "each value once",
        ),
        ("likelihood", [SIGMAS[0], "poisson"], "model.likelihood: unknown likelihood 'poisson'"),
        (
            "likelihood",
            {"name": "gaussian", "sigma": "date"},
            "'sigma' (standard deviation of a pixel) must be a finite number > 0 or learned, got 'date'",
        ),
        (
            "corruption",
            {"name": "noise"},
            "corruption 'noise': option 'sigma' (standard deviation of the noise) is missing",
        ),
        ("corruption", ["none", "blur"], "model.corruption: unknown corruption 'blur'; the corruptions are:"),
        ("initialization", "zeros", "model.initialization: unknown initialization 'zeros'"),
        ("network", {"name": "mlp", "hiden": [8]}, "unknown option 'hiden'; its options are: hidden"),
        ("network", {"name": "mlp", "hidden": 8}, "must be a list of whole numbers ≥ 1, got 8"),
        ("latents", [2, 0], "model.latents"),
        ("latents", 2.5, "model.latents"),
    ],
)
def test_models_that_cannot_be_are_refused(setting: str, value: Any, message: str, tmp_path: Path):
    with pytest.raises(UserError, match=re.escape(message)):
        checked(changed(f"model.{setting}", value), tmp_path)


def test_a_mistake_in_an_override_is_named_there(tmp_path: Path):
    with pytest.raises(UserError, match=re.escape("overrides.digits.model.corruption: unknown corruption")):
        checked(changed("overrides.digits", {"model": {"corruption": "blur"}}), tmp_path)

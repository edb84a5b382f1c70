"""Mistakes of users, stage by stage: one screen, no traceback, status 1, and no finished work is lost.

Mistakes within params.yaml are in test_params.py, damaged files in test_layout.py and test_trial.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from pipeline.store.layout import Store
from pipeline.study.hyper_grid import hyper_points
from tests.pipeline.stages import run_stage
from tests.vaecore.small import example
from vaecore.families import family_class, names

ROOT = Path(__file__).parents[3]

PARAMS: dict[str, Any] = {
    "study": "test",
    "datasets": {"digits": {}},
    "families": {"vae": {}},
    "untrained": False,
    "seeds": [0],
    "model": {"network": {"name": "mlp", "hidden": [8]}, "latents": 2, "likelihood": "bernoulli"},
    "training": {"steps": 5, "batch_size": 8, "learning_rate": 0.001},
    "overrides": {},
    "scheduling": {},
    "evaluation": {"metrics": ["rate"]},
    "tracking": {"uri": "sqlite:///mlflow.db"},
}


def stage(name: str, store: Store, **changes: Any) -> CompletedProcess[str]:
    (store.root / "params.yaml").write_text(yaml.safe_dump({**PARAMS, **changes}))
    return run_stage(name, store.root)


def refused(process: CompletedProcess[str], *expected: str) -> None:
    assert process.returncode == 1, process.stdout + process.stderr
    assert "Traceback" not in process.stdout + process.stderr
    for part in expected:
        assert part in process.stderr
    assert process.stderr.count("\n") < 25


@pytest.mark.parametrize("name", ["tune", "evaluate", "report"])
def test_a_mistake_in_params(digits_store: Store, name: str):
    refused(stage(name, digits_store, seeds=[]), "params.yaml", "seeds")


def test_an_image_size_that_the_network_cannot_take(digits_store: Store):
    ready = digits_store.read_ready("digits")
    digits_store.write_ready(
        "digits", images=ready.images[:, :, :6, :6].copy(), meta={"shape": [1, 6, 6], "storage": "uint8"}
    )
    process = stage("tune", digits_store, model={"network": "conv", "latents": 2, "likelihood": "bernoulli"})
    refused(process, "params.yaml: digits, vae", "6×6", "image_size")
    assert not (digits_store.root / "runs").exists()


NEEDY = [name for name in names() if family_class(name).needs(hyper_points(name, example(name))[0])]
"""Families that need labels or factors of every image."""


@pytest.mark.parametrize("family", NEEDY)
@pytest.mark.parametrize("stage_name", ["tune", "evaluate"])
def test_a_family_that_needs_what_the_data_have_not(digits_store: Store, family: str, stage_name: str):
    ready = digits_store.read_ready("digits")
    digits_store.write_ready(
        "digits", images=ready.images, split=ready.split, meta={"shape": [1, 8, 8], "storage": "uint8"}
    )
    (need,) = family_class(family).needs(hyper_points(family, example(family))[0])
    process = stage(stage_name, digits_store, families={"vae": {}, family: example(family)})
    refused(
        process,
        f"params.yaml: families.{family}: it needs {need}",
        "and data set 'digits' has neither labels nor factors",
        "Remove the family or the data set from the study",
        f"add {need} to the data (docs/your-own-data.md)",
    )
    assert not (digits_store.root / "runs").exists()
    assert not (digits_store.root / "mlflow.db").exists()


def test_a_gpu_where_there_is_none(digits_store: Store):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    refused(stage("tune", digits_store, scheduling={"gpu": 1}), "params.yaml: scheduling.gpu", "Set it to 0")


def test_a_tracking_server_that_does_not_answer(digits_store: Store):
    refused(
        stage("tune", digits_store, tracking={"uri": "http://127.0.0.1:9"}),
        "params.yaml: tracking.uri",
        "127.0.0.1:9",
    )
    assert not (digits_store.root / "runs").exists()


@pytest.mark.parametrize("name", ["tune", "evaluate"])
def test_truncated_ready_data(digits_store: Store, name: str):
    path = digits_store.ready("digits") / "images.npy"
    path.write_bytes(path.read_bytes()[:-100])
    refused(stage(name, digits_store), "images.npy", "truncated", "dvc repro --force preprocess@digits")


def test_ready_data_that_are_not_there(digits_store: Store):
    refused(
        stage("tune", digits_store, datasets={"dsprites": {}}), "dsprites/meta.json", "preprocess@dsprites"
    )


def test_nothing_to_report(digits_store: Store):
    refused(stage("report", digits_store), "dvc repro")


def test_the_wrong_folder(tmp_path: Path):
    """In a process of its own, as DVC starts it."""
    process = subprocess.run(
        [sys.executable, "-m", "pipeline.tune"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    refused(process, "params.yaml", "root of the repository")

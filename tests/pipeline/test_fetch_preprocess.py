"""The stages fetch and preprocess: from params.yaml to a prepared data set, and what users get wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pipeline import fetch, preprocess
from pipeline.errors import UserError
from pipeline.folders import members
from pipeline.store import Store

ROOT = Path(__file__).parents[2]
SUBSET = {"scale": 2, "orientation": 3, "pos_x": 3, "pos_y": 3}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def study(datasets: dict[str, Any]) -> None:
    params = {
        "study": "test",
        "datasets": datasets,
        "families": {"vae": {}},
        "untrained": False,
        "seeds": [0],
        "model": {},
        "training": {"steps": 1, "batch_size": 1},
        "overrides": {},
        "scheduling": {},
        "evaluation": {"metrics": []},
        "tracking": {},
    }
    Path("params.yaml").write_text(yaml.safe_dump(params))


def both(name: str) -> None:
    fetch.main([name])
    preprocess.main([name])


def test_digits_are_prepared_with_a_stratified_part_held_out(
    project: Path, capsys: pytest.CaptureFixture[str]
):
    study({"digits": {"test_fraction": 0.2}})
    both("digits")
    assert capsys.readouterr().out.splitlines()[0] == "fetch: digits: done: digits.csv, 0.3 MB"
    ready = Store(project).read_ready("digits", verify=True)
    assert ready.images.shape == (1797, 1, 8, 8)
    assert ready.test is not None
    assert ready.labels is not None
    assert ready.test.sum() == 359
    assert np.abs(np.bincount(ready.labels[ready.test]) / np.bincount(ready.labels) - 0.2).max() < 0.01
    assert ready.meta["label_names"] == list("0123456789")
    assert ready.meta["test_fraction"] == 0.2


def test_fetching_again_leaves_what_is_complete(capsys: pytest.CaptureFixture[str]):
    study({"digits": None})
    fetch.main(["digits"])
    before = Path("data/raw/digits/digits.csv").stat().st_mtime_ns
    capsys.readouterr()
    fetch.main(["digits"])
    assert "complete already" in capsys.readouterr().out
    assert Path("data/raw/digits/digits.csv").stat().st_mtime_ns == before


def test_dsprites_are_prepared_bit_packed_and_the_same_each_time(project: Path):
    study({"dsprites": {"subset": SUBSET}})
    both("dsprites")
    ready = Store(project).read_ready("dsprites", verify=True)
    assert ready.meta["storage"] == "bits"
    assert ready.images.shape == (3 * 2 * 3 * 3 * 3, 512)
    assert ready.meta["factor_sizes"] == [3, 2, 3, 3, 3]
    assert ready.meta["grid"] is True
    assert ready.test is None
    preprocess.main(["dsprites"])
    assert Store(project).read_ready("dsprites").meta == ready.meta


def test_what_changes_the_arrays_changes_the_checksum(project: Path):
    checksums = set()
    for more in ({}, {"image_size": 32}, {"test_fraction": 0.5}, {"test_fraction": 0.5, "split_seed": 1}):
        study({"dsprites": {"subset": SUBSET, **more}})
        both("dsprites")
        checksums.add(Store(project).read_ready("dsprites").meta["checksum"])
    assert len(checksums) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"image_sice": 8},
            r"datasets.digits.image_sice: unknown key. Known here: test_fraction, split_seed, image_size",
        ),
        ({"image_size": 16}, r"datasets.digits.image_size: images are scaled down only.*got 16"),
        ({"test_fraction": 1.5}, r"datasets.digits.test_fraction: .*less than 1, got 1.5"),
        ({"test_fraction": "a fifth"}, r"datasets.digits.test_fraction: .*got 'a fifth'"),
    ],
)
def test_wrong_options_name_the_key(options: dict[str, Any], message: str):
    study({"digits": options})
    with pytest.raises(UserError, match=message):
        fetch.main(["digits"])


def test_a_fraction_that_holds_out_nothing_is_an_error():
    study({"digits": {"test_fraction": 0.0001}})
    with pytest.raises(UserError, match=r"datasets\.digits\.test_fraction: of 1797 images"):
        both("digits")


def test_a_data_set_that_the_study_does_not_use_is_an_error():
    study({"digits": {}})
    with pytest.raises(UserError, match=r"does not use 'dsprites'\. It has: digits"):
        fetch.main(["dsprites"])


def test_raw_data_damaged_or_missing_is_an_error_and_nothing_is_written(project: Path):
    study({"digits": {}})
    with pytest.raises(UserError, match="fetch@digits"):
        preprocess.main(["digits"])
    fetch.main(["digits"])
    Path("data/raw/digits/digits.csv").write_text("0,1,2")
    with pytest.raises(UserError, match="fetch@digits"):
        preprocess.main(["digits"])
    assert not Store(project).ready("digits").exists()


@pytest.mark.parametrize("stage", ["fetch", "preprocess"])
def test_on_the_command_line_an_error_is_one_screen_and_a_status(stage: str, project: Path):
    study({"digits": {}})
    ran = subprocess.run(
        [sys.executable, "-m", f"pipeline.{stage}", "digitts"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1
    assert f"there is no 'digitts'. Known: {', '.join(members('pipeline.datasets'))}" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert len(ran.stderr.splitlines()) < 10

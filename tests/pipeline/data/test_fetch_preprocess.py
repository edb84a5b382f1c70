"""The stages fetch and preprocess: from params.yaml to a prepared data set, and what users get wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pipeline import fetch, preprocess
from pipeline.errors import UserError
from pipeline.store.layout import Store
from pipeline.study.folders import members

ROOT = Path(__file__).parents[3]
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
            r"datasets.digits.image_sice: unknown key. Known here: test_fraction, "
            "validation_fraction, split_seed",
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


def test_parts_are_kept_and_said(project: Path, capsys: pytest.CaptureFixture[str]):
    study({"digits": {"test_fraction": 0.2, "validation_fraction": 0.1}})
    both("digits")
    assert "359 held out for the test, 180 for validation" in capsys.readouterr().out
    ready = Store(project).read_ready("digits")
    assert ready.meta["parts"] == {"train": 1258, "validation": 180, "test": 359}
    assert ready.test is not None
    assert ready.train_rows is not None
    assert (ready.test.sum(), len(ready.train_rows)) == (359, 1258)
    assert not ready.test[ready.train_rows].any()


def test_a_combination_of_factors_is_never_trained_on(project: Path):
    study({"dsprites": {"subset": SUBSET, "hold_out": {"shape": [2], "pos_x": [1, 2]}}})
    both("dsprites")
    ready = Store(project).read_ready("dsprites", verify=True)
    assert ready.test is not None
    assert ready.factors is not None
    np.testing.assert_array_equal(ready.test, (ready.factors[:, 0] == 2) & (ready.factors[:, 3] >= 1))
    assert ready.meta["hold_out"] == {"shape": [2], "pos_x": [1, 2]}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("dsprites", {"hold_out": {"colour": [0]}}, r"dsprites\.hold_out: there is no factor 'colour'"),
        (
            "dsprites",
            {"hold_out": {"shape": [3]}},
            r"dsprites\.hold_out: factor 'shape' has the indices 0 to 2",
        ),
        ("dsprites", {"hold_out": {"shape": []}}, r"dsprites\.hold_out"),
        ("dsprites", {"hold_out": {"shape": [0]}, "test_fraction": 0.1}, r"hold_out: .*leave one out"),
        ("dsprites", {"hold_out": {"shape": [0, 1, 2]}}, r"hold_out: .*both parts need some"),
        ("digits", {"hold_out": {"shape": [0]}}, r"digits\.hold_out: this data set has no factors"),
        (
            "digits",
            {"test_fraction": 0.5, "validation_fraction": 0.5},
            r"validation_fraction: .*none is left",
        ),
    ],
)
def test_parts_that_cannot_be_are_an_error_and_nothing_is_written(
    project: Path, name: str, options: dict[str, Any], message: str
):
    study({name: {"subset": SUBSET, **options} if name == "dsprites" else options})
    with pytest.raises(UserError, match=message):
        both(name)
    assert not (Store(project).ready(name) / "meta.json").exists()


def test_no_room_is_said_before_anything_is_written(project: Path, monkeypatch: pytest.MonkeyPatch):
    study({"digits": {}})
    monkeypatch.setattr(
        preprocess.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000)
    )
    with pytest.raises(UserError, match=r"needs 0\.1 GB for digits, and 0\.0 GB are free there\. Make room"):
        both("digits")
    assert not list(Store(project).ready("digits").iterdir())


def test_a_fraction_that_holds_out_nothing_is_an_error():
    study({"digits": {"test_fraction": 0.0001}})
    with pytest.raises(UserError, match=r"datasets\.digits\.test_fraction: .* holds out 0 of 1797 images"):
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
    assert f"there is no 'digitts'. Known: {', '.join(members('pipeline.data.datasets'))}" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert len(ran.stderr.splitlines()) < 10

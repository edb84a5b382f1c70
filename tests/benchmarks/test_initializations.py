"""The benchmark of initializations trains from each of them, once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import initializations
from vaecore.initializations import names


def test_the_command_trains_from_each_and_resumes(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    options = ["--networks", "burgess", "--seeds", "1", "--steps", "4", "--every", "2", "--images", "50"]
    options += ["--device", "cpu", "--out", str(tmp_path)]
    path = initializations.main(options)
    written = json.loads(path.read_text())
    assert [run["initialization"] for run in written["runs"]] == names()
    for run in written["runs"]:
        assert [record["step"] for record in run["records"]] == [2, 4]
        for record in run["records"]:
            assert record["negative_elbo"] == pytest.approx(record["distortion"] + record["rate"])
    del written["runs"][1]
    path.write_text(json.dumps(written))
    capsys.readouterr()
    again = json.loads(initializations.main(options).read_text())
    assert sorted(run["initialization"] for run in again["runs"]) == names()
    assert capsys.readouterr().out.count(" seed 0: ") == 1, "only what was missing is trained"

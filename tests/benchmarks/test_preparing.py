"""The benchmark of preparing, on data sets small enough for a test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import preparing


def test_made_up_data_are_prepared_in_a_separate_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    small = "from pipeline.data.shared import mpi3d\nmpi3d.SIZES = {'object_color': 2, 'vertical_axis': 3}\n"
    monkeypatch.setitem(preparing.SETS, "mpi3d_real", lambda path: preparing.mpi3d_real(path, 6))
    monkeypatch.setitem(preparing.PINS, "mpi3d_real", small + preparing.PINS["mpi3d_real"])
    path = preparing.main(["mpi3d_real", "--folder", str(tmp_path / "scratch"), "--out", str(tmp_path)])
    (row,) = json.loads(path.read_text())["rows"]
    assert (row["n"], row["under_limit"]) == (6, True)
    assert row["ready_bytes"] == 6 * 3 * 64 * 64
    assert not list((tmp_path / "scratch").iterdir()), "the data are deleted"

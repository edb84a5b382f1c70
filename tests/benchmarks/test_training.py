"""The benchmark of training speed at its smallest size: it runs, and its result is complete."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import study_model, training
from benchmarks.contestants import Layout, Spec
from benchmarks.measure import Entry, Group, Groups
from benchmarks.training_report import family_table, rows

ROOT = Path(__file__).parents[2]
TINY = ["--device", "cpu", "--seconds", "0.01", "--rounds", "2", "--images", "130", "--chunk", "1"]


def run(folder: Path, *options: str) -> tuple[str, dict]:
    command = [sys.executable, "-m", "benchmarks.training", *TINY, "--out", str(folder), *options]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("training-*.json")
    return done.stdout, json.loads(path.read_text())


def test_the_command_measures_all_contestants_and_writes_them(tmp_path: Path):
    options = ["--quick", "--families", "vae", "--packs", "1", "2", "--processes", "2"]
    said, written = run(tmp_path, *options, "--contestants", "ours", "plain", "matrix")
    found = written["families"]["vae"]
    kinds = {(row["contestant"], row["pack"]) for row in found}
    assert {("matrix", 1), ("plain", 1), ("ours", 1), ("ours", 2)} == kinds
    assert {row["precision"] for row in found if row["contestant"] != "ours"} == {"float32", "bfloat16"}
    for row in found:
        assert row["failed"] is None
        assert len(row["rounds"]) == 2
        assert row["host_bytes"] > 50 * 2**20
        if row["contestant"] != "matrix":
            numbers = [row[key] for key in ("rate", "steps_per_second", "times_plain", "study_model_seconds")]
            assert all(math.isfinite(number) and number > 0 for number in numbers)
            assert 0 < row["share_of_matrix_rate"] < 2
            assert row["times_pythae"] is None
    assert {"device", "torch", "python", "date", "commit", "cores"} <= set(written["machine"])
    assert written["settings"]["images"] == 130
    assert "ours at best" in said
    assert written["model"]["operations_per_step"]["vae"] > 1e9


@pytest.mark.parametrize("family", study_model.FAMILIES)
def test_pythae_trains_every_family(family: str, images: Path):
    pytest.importorskip("pythae")
    from benchmarks.contestants import prepare

    spec = Spec(contestant="pythae", family=family, device="cpu", precision="float32", chunk=1)
    contestant = prepare(spec, images)
    before = [weight.clone() for weight in contestant.trainer.model.parameters()]
    contestant.run(3)  # more than an epoch of 130 images
    moved = [
        not weight.equal(old)
        for weight, old in zip(contestant.trainer.model.parameters(), before, strict=True)
    ]
    assert all(moved)


def test_a_contestant_that_fails_is_a_row_and_not_the_end(images: Path):
    spec = Spec(contestant="ours", family="vae", device="cpu", precision="float16", chunk=1)
    entry = Entry(spec, Layout(2, 1))
    group = Group(entry.layout, "cpu", images)
    group.ready()
    entry.prepare(group)
    assert "float16" in entry.failed
    assert entry.measure(0.01) is None
    (row,) = rows("vae", [entry], "cpu")
    assert row["rate"] is None
    assert "float16" in family_table([row], "cpu")


def test_packs_grow_until_the_sum_stops_rising(monkeypatch: pytest.MonkeyPatch):
    rates = {1: 100.0, 2: 180.0, 4: 186.0, 8: 1000.0}
    monkeypatch.setattr(Entry, "prepare", lambda self, group: None)
    monkeypatch.setattr(Entry, "measure", lambda self, seconds: rates[self.spec.pack])

    class NoGroups:
        def take(self, layout: Layout) -> None:
            return None

    spec = Spec(contestant="ours", family="vae", device="cpu", precision="auto", chunk=1)
    grown = training.grow(spec, Layout(1, 1), [1, 2, 4, 8], NoGroups(), 1.0)
    assert [entry.spec.pack for entry in grown] == [1, 2, 4]


def test_a_process_that_is_killed_is_a_row_and_not_the_end(images: Path):
    entry = Entry(
        Spec(contestant="matrix", family="vae", device="cpu", precision="float32", chunk=1), Layout(1, 1)
    )
    group = Group(entry.layout, "cpu", images)
    group.ready()
    entry.prepare(group)
    assert not entry.failed
    group.processes[0].kill()
    group.processes[0].join()
    assert entry.measure(0.01) is None
    assert "ended" in entry.failed


def test_processes_that_do_not_start_are_a_row_and_not_the_end(images: Path):
    entry = Entry(
        Spec(contestant="matrix", family="vae", device="cpu", precision="float32", chunk=1), Layout(1, 0)
    )
    with Groups("cpu", images) as groups:
        entry.prepare(groups.take(entry.layout))  # PyTorch raises an error for 0 threads
    assert "ended" in entry.failed

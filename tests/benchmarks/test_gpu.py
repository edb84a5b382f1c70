"""The command for a GPU, on a CPU: every part runs, is not repeated, and is skipped if time is short."""

from __future__ import annotations

import json
import sys
import zipfile
from argparse import Namespace
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks import capture, gpu, machine, wheelhouse
from benchmarks.gpu import COMMANDS, PARTS, TASKS, Task

CARD = {"kind": "cuda", "device": "NVIDIA H100 80GB HBM3", "cores": 16}


def test_every_part_runs_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(machine, "cores", lambda: 1)  # two threads are slow beside other tests
    options = ["--device", "cpu", "--out", str(tmp_path)]
    assert gpu.main(options) == 0
    written = {path.name: json.loads(path.read_text()) for path in tmp_path.glob("*.json")}
    assert sorted(content["benchmark"] for content in written.values()) == sorted(PARTS)
    for content in written.values():
        assert {"device", "torch", "date", "commit", "vaecore"} <= set(content["machine"])
    capsys.readouterr()

    assert gpu.main(options) == 0
    assert capsys.readouterr().out.count("done before") == len(PARTS)

    next(tmp_path.glob("capture-*.json")).unlink()
    assert gpu.main([*options, "--minutes", "0.01", "--parts", "capture", "published"]) == 0
    said = capsys.readouterr().out
    assert "skipped: needs about 10 s, 1 s are left" in said
    assert "to go on, run the same command" in said
    assert "done before" in said
    assert not list(tmp_path.glob("capture-*"))


@pytest.mark.parametrize("device", TASKS)
def test_tasks_have_valid_options(device: str):
    assert {task.part for task in TASKS[device]} == set(PARTS)
    assert len({task.name for task in TASKS[device]}) == len(TASKS[device])
    for task in TASKS[device]:
        settings = COMMANDS[task.part].parse([*task.options.split(), "--device", device])
        assert not task.only or task.only in (
            *getattr(settings, "families", ()),
            *getattr(settings, "networks", ()),
        )
        assert ("minutes" in vars(settings)) == task.resumable


def test_a_result_on_a_gpu_says_so_in_its_name(tmp_path: Path):
    path = machine.result_path("capture", CARD | {"date": "2026-01-02T03:04"}, ".json", tmp_path)
    assert path.name == "capture-gpu-nvidia-h100-80gb-hbm3-2026-01-02.json"


def a_command(wrong: Exception | None = None, **content: object) -> ModuleType:
    """A module that writes a result with ``content``, or fails."""
    command = ModuleType("command")

    def main(options: list[str]) -> Path:
        if wrong:
            raise wrong
        described = machine.describe("cpu")
        path = machine.result_path("capture", described, ".json", Path(options[options.index("--out") + 1]))
        path.write_text(json.dumps({"machine": described, "settings": {"steps": 1}} | content))
        return path

    command.main = main  # type: ignore[attr-defined]
    command.parse = lambda options: Namespace(steps=1)  # type: ignore[attr-defined]
    return command


@pytest.mark.parametrize(
    ("command", "first", "again"),
    [
        (a_command(), "done: ", "done before"),
        (a_command(settings={"steps": 2}), "done: ", "done: "),
        (a_command(machine=machine.describe("cpu") | {"torch": "1.0"}), "done: ", "done: "),
        (a_command(machine=machine.describe("cpu") | {"vaecore": "other"}), "done: ", "done: "),
        (a_command(complete=False), "not complete: ", "not complete: "),
        (a_command(failed=2), "FAILED (2 in it): ", "FAILED (2 in it) before: "),
        (a_command(ValueError("no")), "FAILED: ValueError", "FAILED: ValueError"),
    ],
)
def test_only_a_complete_result_of_the_same_kind_counts_as_done(
    command: ModuleType, first: str, again: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(COMMANDS, "capture", command)
    for expected in (first, again):
        ((_, what, _),) = gpu.carry_out([Task("capture")], machine.describe("cpu"), tmp_path, 8.0)
        assert what.startswith(expected)


def test_failures_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(COMMANDS, "capture", a_command(RuntimeError("no")))
    options = ["--parts", "capture", "published", "--device", "cpu", "--out", str(tmp_path)]
    monkeypatch.setitem(COMMANDS, "published", a_command())
    assert gpu.main(options) == 1


def test_on_a_cpu_results_are_not_put_among_the_others():
    with pytest.raises(SystemExit):
        gpu.parse(["--device", "cpu"])


def test_a_check_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch):
    begin = capture.begin
    seeds = iter(range(100))

    def otherwise(name: str, seed: int = 0, **options: object) -> object:
        return begin(name, seed=next(seeds), **options)  # type: ignore[arg-type]

    monkeypatch.setattr(capture, "begin", otherwise)
    assert capture.resumed("vae", "cpu").startswith("step ")
    assert capture.packed(["vae"], "cpu").startswith("vae, seed 0: step 6: ")


def test_packages_of_wheels_can_be_imported_within_the_block(tmp_path: Path):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "carried_along-1-py3-none-any.whl", "w") as archive:
        archive.writestr("carried_along/__init__.py", "")
        archive.writestr("carried_along/broken.py", "raise SystemError('of another version')")
        archive.writestr("carried_along-1.dist-info/METADATA", "Name: carried_along\nVersion: 1\n")
    before = list(sys.path)
    with wheelhouse.unpacked(wheels):
        assert wheelhouse.import_error("carried_along") == ""
        assert machine.version("carried_along") == "1"
        assert wheelhouse.import_error("carried_along.broken") == "SystemError: of another version"
    assert sys.path == before
    assert "No module" in wheelhouse.import_error("carried_along.more")
    with wheelhouse.unpacked(tmp_path / "nowhere"):
        assert sys.path == before


def test_without_pythae_the_others_are_measured():
    pythae, named, other = (
        Task("training", "--families vae"),
        Task("training", "--contestants ours"),
        Task("packing"),
    )
    options = gpu.without_pythae(pythae).options
    assert options == "--families vae --contestants ours plain matrix"
    assert COMMANDS["training"].parse(options.split()).contestants == ["ours", "plain", "matrix"]
    assert (gpu.without_pythae(named), gpu.without_pythae(other)) == (named, other)

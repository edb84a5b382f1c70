"""A stage that the shell starts with a python without the packages runs with another, or says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

from pipeline.environment import PACKAGES, lacking

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment without any package."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=True)
    return folder / "bin"


def stage(folder: Path, bare: Path, program: str = "pipeline.fetch") -> subprocess.CompletedProcess[str]:
    """Run `python3 -m PROGRAM --help` as a shell does whose PATH begins with the bare environment."""
    environment = {**os.environ, "PATH": f"{bare}{os.pathsep}/usr/bin{os.pathsep}/bin"}
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        ["sh", "-c", f"python3 -m {program} --help"],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_packages_are_those_that_are_required():
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert list(PACKAGES) == [name.split(">=")[0] for name in required]
    assert lacking() == []


def test_the_python_that_started_it_takes_over(bare: Path):
    """As that of ``.venv/bin/dvc repro``, here that of the test."""
    done = stage(ROOT, bare)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: python -m pipeline.fetch")


ALONE = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("environment", sys.argv[1])
environment = importlib.util.module_from_spec(spec)
spec.loader.exec_module(environment)
environment._above = lambda: iter(())  # as if no python with the packages had started this one
sys.orig_argv = ["python3", "-m", "pipeline.fetch"]
environment.ensure()
"""


def alone(folder: Path, bare: Path) -> subprocess.CompletedProcess[str]:
    """``ensure`` in a bare python in this folder; ``pipeline.fetch`` prints its python."""
    (folder / "pipeline").mkdir()
    (folder / "pipeline" / "fetch.py").write_text("import sys; print(sys.executable)")
    command = [bare / "python3", "-c", ALONE, ROOT / "pipeline" / "environment.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_without_any_it_says_in_a_sentence_what_to_do(tmp_path: Path, bare: Path):
    done = alone(tmp_path, bare)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "has no torch, ray[tune], mlflow" in done.stderr
    assert "source .venv/bin/activate" in done.stderr


def test_the_environment_that_make_makes_takes_over(tmp_path: Path, bare: Path):
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    python = tmp_path / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    done = alone(tmp_path, bare)
    assert done.stdout.strip() == sys.executable, done.stderr

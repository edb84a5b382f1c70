"""Train, score and report the study in params.yaml. This is `dvc repro` with the python of this environment.

Arguments are passed on to `dvc repro`: `betabench run --dry`, `betabench run tune`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from pipeline.study.params import load

__all__ = ["add_arguments", "main"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none of its own."""
    parser.usage = "betabench run [ARGUMENTS OF dvc repro]"


def main(options: argparse.Namespace) -> int:
    """Run the study; returns the exit status of DVC."""
    load()  # a mistake in params.yaml is an error now, and not after DVC has looked at the data
    environment = environment_of_this_python()
    dvc = [sys.executable, "-m", "dvc"]
    if not Path(".git").exists():
        # A folder without a git history: DVC refuses to work in it unless its configuration says so.
        subprocess.run([*dvc, "config", "--local", "core.no_scm", "true"], env=environment, check=True)
    status = subprocess.run([*dvc, "repro", *options.others], env=environment, check=False).returncode
    if status == 0 and not options.others:
        print(f"\nreport:    {Path('reports', 'index.html').absolute()}\nMLflow UI: betabench ui")
    return status


def environment_of_this_python() -> dict[str, str]:
    """The environment variables with which the stages' `python3` is this one."""
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    return {**os.environ, "PATH": os.pathsep.join(folders)}

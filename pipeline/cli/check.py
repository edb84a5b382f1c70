"""Test a file of your own against the properties of every file in its folder: shapes, gradients, errors, ...

betabench check vaecore/families/my_vae.py
betabench check metrics/disentanglement/my_score.py
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

from pipeline.cli.run import environment_of_this_python
from pipeline.errors import UserError
from pipeline.study.catalogue import MEMBERS

__all__ = ["add_arguments", "main"]

MEMBER_TESTS = ("tests/vaecore", "tests/test_layers.py", "tests/test_contracts.py")
PROPERTIES = {
    **{f"vaecore/{folder}": MEMBER_TESTS for folder in MEMBERS},
    "metrics": ("tests/metrics", "tests/test_layers.py"),
    "pipeline/data/datasets": (
        "tests/pipeline/data",
        "tests/pipeline/test_dependencies.py",
        "tests/test_layers.py",
    ),
}
"""Folder of members -> where the tests over every member of it are."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The file."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a file in one of the folders of members")


def main(options: argparse.Namespace) -> int:
    """Run the tests whose parameters name the file; returns pytest's exit status."""
    file = member_file(options.file, Path.cwd())
    if importlib.util.find_spec("pytest") is None:
        raise UserError('the tests need packages of their own: pip install -c constraints.txt -e ".[test]"')
    name = file.stem
    folder = next(each for each in PROPERTIES if file.is_relative_to(each))
    chosen = " or ".join([f"[{name}]", f"[{name}-", f"-{name}-", f"-{name}]", file.as_posix()])
    command = [sys.executable, "-m", "pytest", *PROPERTIES[folder], "-q", "-p", "no:xdist", "-k", chosen]
    return subprocess.run(command, env=environment_of_this_python(), check=False).returncode


def member_file(file: Path, root: Path) -> Path:
    """The file's path from the root.

    Raises:
        UserError: it does not exist, or is in no folder of members.
    """
    if not file.is_file():
        raise UserError(f"{file}: there is no such file. Paths are relative to {root}.")
    resolved = file.resolve()
    path = resolved.relative_to(root.resolve()) if resolved.is_relative_to(root.resolve()) else resolved
    if path.suffix != ".py" or not any(path.is_relative_to(name) for name in PROPERTIES):
        raise UserError(
            f"{file}: params.yaml could not name it. Put it into the folder of its kind: "
            f"{', '.join(f'{name}/' for name in PROPERTIES)}."
        )
    return path

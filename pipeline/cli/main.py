"""``betabench``: the console command. It finds the study's folder and hands over to one module per action."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pipeline
from pipeline.errors import UserError, user_errors

__all__ = ["main"]

COMMANDS = {
    "run": "train, score and report the study in params.yaml: `dvc repro` in this environment",
    "plan": "what `run` would train and score, and how long it may take; runs nothing",
    "list": "families, networks, metrics, data sets, ...: all names of a kind",
    "show": "one of them: definition, options with their ranges, papers",
    "check": "test a family, metric or data set of your own against the properties of every member",
    "ui": "MLflow's user interface on this machine",
    "doctor": "versions, cores, GPU, disk, Ray, ports: what a bug report needs",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command: a module of ``pipeline.cli`` with ``add_arguments(parser)`` and ``main(options)``."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog="betabench",
        description="Benchmark β-VAEs and their relatives: train a study, score it, report.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"  {name:8} {meaning}" for name, meaning in COMMANDS.items()),
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of those below")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="`betabench COMMAND --help` lists them")
    name = parser.parse_args(given[:1]).command
    with user_errors(f"betabench {name}"):
        enter(study_folder(Path.cwd()), given)
        module = importlib.import_module(f"pipeline.cli.{name}")
        command = argparse.ArgumentParser(
            prog=f"betabench {name}",
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        options, others = command.parse_known_args(given[1:])
        if others and name != "run":
            command.error(f"unknown arguments: {' '.join(others)}")
        options.others = others
        sys.exit(module.main(options))


def study_folder(start: Path) -> Path:
    """The root of the repository that ``start`` is in.

    Raises:
        UserError: it is in none.
    """
    for folder in (start, *start.parents):
        if (folder / "dvc.yaml").is_file() and (folder / "pipeline" / "__init__.py").is_file():
            return folder
    raise UserError(
        f"{start} is not in a betabench repository: no dvc.yaml and pipeline/ here or above. "
        "Clone the repository, and run the command inside it."
    )


def enter(root: Path, arguments: Sequence[str]) -> None:
    """Go to the root. If another copy of the code is installed, start again with the code that is there."""
    os.chdir(root)
    if Path(pipeline.__file__).resolve().parent != (root / "pipeline").resolve():
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-m", "pipeline.cli", *arguments])

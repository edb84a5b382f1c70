"""The python that runs a stage has the packages, or is replaced by one that has them.

A stage's command is ``python3 -m pipeline.<stage>``, and the shell runs the first python3 of the PATH.
That need not be DVC's: ``.venv/bin/dvc repro`` works outside of its environment, too. This module is
imported before any package: it uses the standard library alone, with old syntax.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["OLDEST", "PACKAGES", "ensure", "lacking"]

OLDEST = (3, 11)
PACKAGES = {
    "torch": "torch",
    "ray[tune]": "ray",
    "mlflow": "mlflow",
    "dvc": "dvc",
    "numpy": "numpy",
    "pandas": "pandas",
    "pyarrow": "pyarrow",
    "scikit-learn": "sklearn",
    "scipy": "scipy",
    "safetensors": "safetensors",
    "h5py": "h5py",
    "filelock": "filelock",
    "pydantic": "pydantic",
    "pyyaml": "yaml",
    "jinja2": "jinja2",
    "pillow": "PIL",
    "plotly": "plotly",
    "requests": "requests",
    "rich": "rich",
}
"""Requirement in pyproject.toml -> the module to import."""


def lacking() -> list[str]:
    """Requirements that this python does not have."""
    return [name for name, module in PACKAGES.items() if importlib.util.find_spec(module) is None]


def ensure() -> None:
    """Return if this python can run a stage; else start the command with one that can, or exit."""
    command = _command()
    module = command[command.index("-m") + 1] if "-m" in command[:-1] else ""
    missing = lacking() if module.split(".")[0] == "pipeline" else []
    old = sys.version_info < OLDEST
    if not missing and not old:
        return
    probe = (
        "import sys, importlib.util as u; "
        f"sys.exit(sys.version_info < {OLDEST} or not all(map(u.find_spec, {list(PACKAGES.values())})))"
    )
    for python in _others():
        if subprocess.run([python, "-c", probe], check=False).returncode == 0:
            os.environ["PATH"] = os.pathsep.join(
                [os.path.dirname(python), os.environ.get("PATH", os.defpath)]
            )
            os.execv(python, [python, *command])
    version = ".".join(map(str, sys.version_info[:3]))
    found = "is too old" if old else f"has no {', '.join(missing)}"
    sys.exit(
        f"\nbetabench: the first python3 of the PATH, {sys.executable} (Python {version}), {found}. "
        "Activate the environment in which betabench is installed (`source .venv/bin/activate`), "
        "or run `make run`, which makes one.\n"
    )


def _command() -> list[str]:
    """The arguments of this python, from its own options on: ``-m pipeline.tune``."""
    if hasattr(sys, "orig_argv"):
        return sys.orig_argv[1:]
    return _arguments("self")[1:]  # Python < 3.10


def _others() -> Iterator[str]:
    """Other pythons that may have the packages: the one that runs DVC, then that of ``make``."""
    for python in [*_above(), os.path.join(os.getcwd(), ".venv", "bin", "python")]:
        if os.path.isabs(python) and os.access(python, os.X_OK) and python != sys.executable:
            yield python


def _above() -> Iterator[str]:
    """The pythons that started this process, the nearest first; none on a system without /proc."""
    process = os.getppid()
    while process > 1:
        arguments = _arguments(str(process))
        if not arguments:
            return
        if os.path.basename(arguments[0]).startswith("python"):
            yield arguments[0]
        try:
            status = Path("/proc", str(process), "stat").read_text()
        except OSError:  # it has ended meanwhile
            return
        process = int(status.rpartition(")")[2].split()[1])


def _arguments(process: str) -> list[str]:
    try:
        return (
            Path("/proc", process, "cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
        )
    except OSError:
        return []

"""Imports packages from wheels in benchmarks/wheels/ on a machine without a package index (``make
gpu-wheels``).

The wheels are pythae and the packages that it needs. A wheel is an archive of files of site-packages. All
wheels are unpacked, since one of the packages is compiled. The folder comes last on the path, so installed
packages have precedence. Processes that are started meanwhile have the same path.

Of SciPy, which is too large to bring along, pythae imports one module, for a model that is not compared. An
empty module stands in for it.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["WHEELS", "import_error", "unpacked"]

WHEELS = Path(__file__).parent / "wheels"
STAND_INS = ("scipy/__init__.py", "scipy/special.py")


@contextmanager
def unpacked(wheels: Path = WHEELS) -> Iterator[None]:
    """Make the packages of ``wheels``, if the folder exists, importable within the block."""
    if not wheels.exists():
        yield
        return
    with tempfile.TemporaryDirectory() as folder:
        for wheel in sorted(wheels.glob("*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
        for name in STAND_INS:
            file = Path(folder) / name
            file.parent.mkdir(exist_ok=True)
            file.touch()
        sys.path.append(folder)
        importlib.invalidate_caches()
        try:
            yield
        finally:
            sys.path.remove(folder)


def import_error(module: str) -> str:
    """Why ``module`` cannot be imported, in a line; empty if it can be imported."""
    try:
        importlib.import_module(module)
    except (
        Exception
    ) as error:  # a package compiled for another Python, or a version that another package rejects
        return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    return ""

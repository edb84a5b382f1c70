"""Packages carried as wheels to a machine without an index: what pythae needs, in benchmarks/wheels/ (``make gpu-wheels``).

A wheel is an archive of what stands in site-packages. All are unpacked, since one of them is compiled, and come last on the path: what is
installed keeps its place. Processes started meanwhile get the path with them.

Of SciPy, too large to carry for it, pythae imports one module, for a model that is not compared: an empty one stands in for it.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["WHEELS", "unpacked", "why_not"]

WHEELS = Path(__file__).parent / "wheels"
STAND_INS = ("scipy/__init__.py", "scipy/special.py")


@contextmanager
def unpacked(wheels: Path = WHEELS) -> Iterator[None]:
    """Within the block the packages of ``wheels`` can be imported; a folder that does not exist has none."""
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


def why_not(module: str) -> str:
    """Why ``module`` cannot be imported, in a line; "" if it can."""
    try:
        importlib.import_module(module)
    except Exception as error:  # a compiled package of another Python, a version that another package refuses
        return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    return ""

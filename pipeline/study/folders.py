"""The modules of a folder, and one of them by its name.

A data set, a family or a metric is one file. The file's name is its name in params.yaml, in MLflow and in the
report. There is no registry: the folder is the list.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from pipeline.errors import UserError
from pipeline.store.layout import PARAMS_FILE

__all__ = ["member", "members"]


def members(package: str) -> list[str]:
    """Sorted names of the modules in a package, e.g. ``members("pipeline.data.datasets")``."""
    paths = importlib.import_module(package).__path__
    return sorted(module.name for module in pkgutil.iter_modules(paths) if not module.ispkg)


def member(package: str, name: str, *, key: str) -> ModuleType:
    """The module ``name`` of a package; ``key`` is the key of params.yaml that names it.

    Raises:
        UserError: there is no such module. The message lists all.
    """
    known = members(package)
    if name not in known:
        raise UserError(
            f"{PARAMS_FILE}: {key}: there is no {name!r}. Known: {', '.join(known)} "
            f"(one file each in {package.replace('.', '/')}/)."
        )
    return importlib.import_module(f"{package}.{name}")

"""The provenance of a result: digests of source files, the git commit, the DVC lock, the machine.

A digest of code changes if the computation may change. Comments, docstrings, layout, imports, the order of
functions, the meanings of options and a metric's words for reports do not count.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["code_digest", "git_commit", "lock_digest", "machine", "source_digest", "source_files"]

WORDS = {"TITLE", "BLIND_TO", "COST"}
"""What a metric's module says to readers (``metrics``)."""
DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@cache
def source_digest(*modules: str) -> str:
    """SHA-256 over the code of modules and of all that they import from their own top-level packages."""
    return _digest(source_files(*modules))


@cache
def code_digest(*modules: str) -> str:
    """SHA-256 over the code of modules, without their imports.

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    files = {}
    for name in modules:
        path = _file(name)
        if path is None:
            raise ModuleNotFoundError(f"no module named {name!r}", name=name)
        files[name] = path
    return _digest(files)


def _digest(files: Mapping[str, Path]) -> str:
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        digest.update(f"{name}\n{_code(path)}\n".encode())
    return digest.hexdigest()


def source_files(*modules: str) -> dict[str, Path]:
    """Module name -> file: ``modules`` and all that they import from their own top-level packages."""
    tops = {module.split(".")[0] for module in modules}
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if name in found or path is None:
            continue
        found[name] = path
        parent = name.rpartition(".")[0]
        waiting += [parent] if "." in parent else []  # a top package computes nothing that a module needs
        waiting += [imported for imported in _imports(path, name) if imported.split(".")[0] in tops]
    return found


def _file(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:  # `from package.module import name`: a name is no module
        return None
    return Path(spec.origin) if spec is not None and spec.origin is not None else None


def _imports(path: Path, module: str) -> list[str]:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join(filter(None, [*parts[: len(parts) - node.level + 1], base]))
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return names


def _code(path: Path) -> str:
    """The file's code without comments, docstrings, imports and options' meanings, its functions sorted."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, DEFINITIONS | ast.Module):
            body = [statement for statement in node.body if not _computes_nothing(statement)]
            if isinstance(node, ast.Module | ast.ClassDef):  # functions and classes are found by name
                body.sort(key=lambda each: each.name if isinstance(each, DEFINITIONS) else "")
            node.body = body or [ast.Pass()]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Option":
            node.args = node.args[3:]  # the first are meaning, symbol and unit
            node.keywords = [each for each in node.keywords if each.arg not in ("meaning", "symbol", "unit")]
    return ast.unparse(tree)


def _computes_nothing(statement: ast.stmt) -> bool:
    """Whether a statement is a docstring, an import, a block for type checkers or a metric's words."""
    docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    typing = (
        isinstance(statement, ast.If)
        and ast.unparse(statement.test) == "TYPE_CHECKING"
        and not statement.orelse
    )
    words = isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) in WORDS
    return docstring or typing or words or isinstance(statement, ast.Import | ast.ImportFrom)


def git_commit(root: Path) -> str | None:
    """The commit checked out, with ``+changes`` if files differ from it; None outside a git repository."""
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True
        )
        changes = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.stdout.strip() + ("+changes" if changes.stdout.strip() else "")


def lock_digest(root: Path) -> str | None:
    """SHA-256 of dvc.lock, which pins the data that a run was computed from; None if there is no dvc.lock."""
    lock = root / "dvc.lock"
    return hashlib.sha256(lock.read_bytes()).hexdigest() if lock.exists() else None


def machine() -> dict[str, Any]:
    """The processor, the accelerator and the versions of this process."""
    import torch

    return {
        "cpu": _processor(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        **{
            name: importlib.metadata.version(name)
            for name in ("torch", "ray", "mlflow", "numpy", "scikit-learn")
        },
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )

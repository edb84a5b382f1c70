"""What a result was computed with: digests of source files, the git commit, the DVC lock, the machine.

A module's source digest covers the files of its own package that it imports, directly or through others, and no
more: changing ``vaecore/families/factor_vae.py`` makes new trials of that family only. Comments, docstrings and
layout do not count.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["git_commit", "lock_digest", "machine", "source_digest", "source_files"]


@cache
def source_digest(*modules: str) -> str:
    """SHA-256 over the code of modules and of what they import from their own top-level package."""
    digest = hashlib.sha256()
    for name, path in sorted(source_files(*modules).items()):
        digest.update(f"{name}\n{_code(path)}\n".encode())
    return digest.hexdigest()


def source_files(*modules: str) -> dict[str, Path]:
    """Module name -> file, of ``modules`` and of everything they import from their own top-level packages."""
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
        waiting += [parent] if parent else []
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
                base = ".".join(
                    filter(
                        None, [".".join(package.split(".")[: len(package.split(".")) - node.level + 1]), base]
                    )
                )
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return names


def _code(path: Path) -> str:
    """The file's code without comments, docstrings and layout."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            node.body = [
                statement
                for statement in node.body
                if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
            ] or [ast.Pass()]
    return ast.unparse(tree)


def git_commit(root: Path) -> str | None:
    """The commit checked out, with ``+changes`` where files differ from it; None outside a git repository."""
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
    """SHA-256 of dvc.lock: the state of the data that a run was computed from; None before DVC wrote one."""
    lock = root / "dvc.lock"
    return hashlib.sha256(lock.read_bytes()).hexdigest() if lock.exists() else None


def machine() -> dict[str, Any]:
    """The processor, the accelerator and the versions that a trial ran with."""
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

"""pipeline -> {vaecore, metrics}: who may import whom, walked over every file."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYTHON = set(sys.stdlib_module_names)
ALLOWED = {
    "vaecore": {"vaecore", "torch"},
    "metrics": {"metrics", "numpy", "scipy", "sklearn"},
}
ONLY_IN = {
    "mlflow": {"pipeline/tracking.py"},
}
FILES = [
    path for layer in ("vaecore", "metrics", "pipeline") for path in sorted((ROOT / layer).rglob("*.py"))
]


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_layer_may(path: Path):
    name = path.relative_to(ROOT).as_posix()
    layer = name.split("/")[0]
    if layer in ALLOWED:
        assert imported(path) - PYTHON <= ALLOWED[layer]
    for package, files in ONLY_IN.items():
        if name not in files:
            assert package not in imported(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_says_what_it_is_and_names_a_concept(path: Path):
    assert ast.get_docstring(ast.parse(path.read_text()))
    assert path.stem not in {"utils", "util", "helpers", "common", "misc"}

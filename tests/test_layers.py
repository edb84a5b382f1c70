"""Who may import whom: benchmarks -> pipeline -> {vaecore, metrics}, and the ladder of pipeline's rooms."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYTHON = set(sys.stdlib_module_names)
ALLOWED = {
    "vaecore": {"vaecore", "torch"},
    "metrics": {"metrics", "numpy", "scipy", "sklearn"},
    "benchmarks": {"benchmarks", "vaecore", "pipeline", "torch", "numpy"},
}
LADDER = (
    "errors",
    "store",
    "study",
    "cluster",
    "data",
    "training",
    "scoring",
    "tracking",
    "reporting",
    "the stages",
    "cli",
)
"""Rooms of pipeline, from the bottom: a file imports from its own room and from those before it."""
ONLY_IN = {
    "mlflow": {path.relative_to(ROOT).as_posix() for path in (ROOT / "pipeline" / "tracking").glob("*.py")},
    "pythae": {"benchmarks/contestants/pythae.py"},
    "disentanglement_lib": {"benchmarks/disentanglement_lib.py"},
    "benchmarks": {path.relative_to(ROOT).as_posix() for path in (ROOT / "benchmarks").rglob("*.py")},
}
EXTRA = {  # what a file may import beyond its layer
    "benchmarks/contestants/pythae.py": {"pythae"},
    "benchmarks/disentanglement_lib.py": {"disentanglement_lib", "gin"},
    "benchmarks/metric_timing.py": {"metrics"},
    "benchmarks/metrics.py": {"metrics"},
    "benchmarks/parity_figure.py": {"matplotlib"},
    "benchmarks/preparing.py": {"h5py"},
    "benchmarks/solver_timing.py": {"sklearn"},
}
FILES = [
    path
    for layer in ("vaecore", "metrics", "pipeline", "benchmarks")
    for path in sorted((ROOT / layer).rglob("*.py"))
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
        assert imported(path) - PYTHON <= ALLOWED[layer] | EXTRA.get(name, set())
    for package, files in ONLY_IN.items():
        if name not in files:
            assert package not in imported(path)


def floor(module: str) -> int:
    """The place of a module's room on the ladder; a module outside of the rooms is a stage."""
    room = [*module.split("."), ""][1]
    return LADDER.index(room if room in LADDER else "the stages")


@pytest.mark.parametrize(
    "path", sorted((ROOT / "pipeline").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_no_room_imports_from_one_above_it(path: Path):
    own = floor(path.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."))
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "pipeline":
            modules |= {f"pipeline.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module or "")
    ours = {module for module in modules if module.startswith("pipeline.")}
    assert {module for module in ours if floor(module) > own} == set()


def test_every_room_has_its_floor():
    rooms = {path.parent.name for path in (ROOT / "pipeline").glob("*/__init__.py")}
    assert rooms == set(LADDER) - {"errors", "the stages"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_says_what_it_is_and_names_a_concept(path: Path):
    assert ast.get_docstring(ast.parse(path.read_text()))
    assert path.stem not in {"utils", "util", "helpers", "common", "misc"}


def test_benchmarks_need_torch_and_numpy_alone():
    """So that they run where nothing else is installed. Peers, metrics and figures are apart: ``EXTRA``."""
    modules = [
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for path in sorted((ROOT / "benchmarks").rglob("*.py"))
        if path.name != "__init__.py" and path.relative_to(ROOT).as_posix() not in EXTRA
    ]
    program = f"""
import importlib, sys
for name in ("ray", "mlflow", "dvc", "pydantic", "pandas", "scipy", "sklearn", "matplotlib", "yaml"):
    sys.modules[name] = None
for name in {modules}:
    importlib.import_module(name)
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)

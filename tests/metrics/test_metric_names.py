"""Finding metrics by their files, and what their files may contain and import."""

from __future__ import annotations

import ast
import importlib
import sys
import tomllib
from pathlib import Path

import pytest

import metrics

FOLDER = Path(metrics.__file__).parent
ALLOWED = {"numpy", "scipy", "sklearn", "metrics", *sys.stdlib_module_names}


def test_names_are_the_files_of_the_folders() -> None:
    files = {path.stem: path.parent.name for path in FOLDER.glob("*/*.py") if path.stem != "__init__"}
    assert metrics.names() == files
    assert {"mig": "disentanglement", "rate": "rate", "psnr": "reconstruction"}.items() <= files.items()


def test_an_unknown_name_lists_the_known_ones() -> None:
    for find in (metrics.function, metrics.describe):
        with pytest.raises(ValueError, match=r"'migg'.*there are: beta_vae_score, .*\bmig, "):
            find("migg")


@pytest.mark.parametrize("name", list(metrics.names()))
def test_a_metric_file_holds_one_public_function_and_says_what_it_measures(name: str) -> None:
    module = importlib.import_module(f"metrics.{metrics.names()[name]}.{name}")
    assert module.__all__ == [name]
    assert metrics.function(name) is getattr(module, name)
    assert metrics.function(name).__doc__
    assert module.__doc__
    assert "=" in module.__doc__  # opens with its mathematics
    description = metrics.describe(name)
    assert (description.name, description.folder) == (name, metrics.names()[name])
    assert description.title
    assert "\n" not in description.title
    assert description.unit is not None
    assert description.higher_is_better in (True, False, None)
    assert description.main == name or description.main.startswith(f"{name}_")
    low, high = description.range
    assert low < high
    assert description.blind_to.endswith(".")
    assert description.cost.startswith(("O(", "One ", "A "))
    assert description.text == module.__doc__


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda path: str(path.relative_to(FOLDER)))
def test_metrics_import_numpy_scipy_and_sklearn_only(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            roots = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            roots = {(node.module or "").split(".")[0]}
        else:
            continue
        assert roots <= ALLOWED


def test_the_metrics_install_by_themselves() -> None:
    """metrics/pyproject.toml lists every folder of metrics, and requires the same versions as the whole
    project."""
    own = tomllib.loads((FOLDER / "pyproject.toml").read_text())
    folders = {path.parent.name for path in FOLDER.glob("*/__init__.py")}
    assert set(own["tool"]["setuptools"]["packages"]) == {"metrics"} | {
        f"metrics.{folder}" for folder in folders
    }
    whole = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text())
    assert own["project"]["version"] == whole["project"]["version"]
    assert set(own["project"]["dependencies"]) <= set(whole["project"]["dependencies"])

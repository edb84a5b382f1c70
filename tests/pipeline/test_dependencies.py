"""dvc.yaml names the code that each stage is made of, and no more: compared with what the stages import."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
import yaml

from pipeline.study.folders import members

ROOT = Path(__file__).parents[2]
DATASETS = "pipeline.data.datasets"
STAGES = {
    name: stage.get("do", stage)
    for name, stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].items()
}
OURS = ("metrics", "pipeline", "vaecore")
NO_OUTPUT_DEPENDS_ON = {
    "pipeline/__init__.py": "it switches usage statistics off",
    "pipeline/data/__init__.py": "it is a docstring",
    "pipeline/data/datasets/__init__.py": "it is a docstring",
    "pipeline/environment.py": "it finds a python",
    "pipeline/errors.py": "it shows errors",
}
CHECKS_PARAMS = ("pipeline.study",)
"""Fetching and preparing import this room to read params.yaml: the values are their `params` in dvc.yaml."""
BY_NAME = {
    "tune": ["metrics", "vaecore"],
    "evaluate": ["metrics", "vaecore"],
    "report": ["metrics", "vaecore", "pipeline/data"],
}
"""Folders whose members are imported by their names in params.yaml."""


@cache
def imports(file: Path) -> frozenset[Path]:
    """Our files that a file imports, and the packages that they are in."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(path for name in names for path in files_of(name))


def files_of(module: str) -> set[Path]:
    """The file of a module and those of the packages above it; none where it is not ours, or no module."""
    parts = module.split(".")
    if parts[0] not in OURS:
        return set()
    packages = {ROOT.joinpath(*parts[: count + 1], "__init__.py") for count in range(len(parts))}
    return {path for path in packages | {ROOT.joinpath(*parts).with_suffix(".py")} if path.is_file()}


def made_of(*modules: str, leaving_out: tuple[str, ...] = ()) -> set[str]:
    """Modules and all of ours that they import, as paths from the root, without the packages left out."""
    apart = {path for name in leaving_out for path in ROOT.joinpath(*name.split(".")).rglob("*.py")}
    found: set[Path] = set()
    waiting = {path for name in modules for path in files_of(name)}
    while waiting:
        found |= waiting
        waiting = {path for file in waiting for path in imports(file)} - found - apart
    return {path.relative_to(ROOT).as_posix() for path in found} - NO_OUTPUT_DEPENDS_ON.keys()


def named(stage: str, dataset: str = "") -> list[str]:
    """The code among a stage's dependencies."""
    depends = [name.replace("${key}", dataset) for name in STAGES[stage]["deps"]]
    return [name for name in depends if name.split("/")[0] in OURS]


@pytest.mark.parametrize("stage", ["tune", "evaluate", "report"])
def test_a_stage_depends_on_all_that_it_imports_and_on_no_room_besides(stage: str):
    files, depends = made_of(f"pipeline.{stage}"), named(stage)
    assert {file for file in files if not any(Path(file).is_relative_to(name) for name in depends)} == set()
    assert {name for name in depends if not any(Path(file).is_relative_to(name) for file in files)} == set()
    assert set(BY_NAME[stage]) <= set(depends)


@pytest.mark.parametrize("dataset", members(DATASETS))
@pytest.mark.parametrize("stage", ["fetch", "preprocess"])
def test_a_data_set_depends_on_all_that_it_is_made_with(stage: str, dataset: str):
    files = made_of(f"pipeline.{stage}", f"{DATASETS}.{dataset}", leaving_out=CHECKS_PARAMS)
    depends = named(stage, dataset)
    assert {file for file in files if not any(Path(file).is_relative_to(name) for name in depends)} == set()


def test_a_data_set_is_not_prepared_again_for_another_ones_sake():
    assert not any(
        Path(f"{DATASETS.replace('.', '/')}/mnist.py").is_relative_to(name)
        for name in named("preprocess", "digits")
    )


def test_the_report_alone_depends_on_how_the_page_looks():
    assert [stage for stage in STAGES if any("reporting" in name for name in named(stage))] == ["report"]

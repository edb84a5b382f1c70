"""A family speaks for itself: nobody outside reaches into its parts, or knows one by its name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from vaecore.families import names

ROOT = Path(__file__).parents[1]
FILES = [
    path
    for folder in ("vaecore", "metrics", "pipeline", "benchmarks", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
INSIDE = ("vaecore", "tests/vaecore", "benchmarks/small_trainings.py")
"""Where a family's parts are at home: the last has a family of its own, a double."""


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize(
    "path", [path for path in FILES if not relative(path).startswith(INSIDE)], ids=relative
)
def test_nobody_reaches_into_a_family(path: Path):
    reached = [
        f"{relative(path)}:{node.lineno}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "autoencoder"
    ]
    assert not reached, f"{reached}: ask the family (encode, reconstruct, decode, sample, log_weights)"


def words(node: ast.expr) -> Iterator[str]:
    """The strings that an operand is or lists."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.Tuple | ast.List | ast.Set):
        for each in node.elts:
            yield from words(each)


@pytest.mark.parametrize(
    "path", [path for path in FILES if not relative(path).startswith("tests")], ids=relative
)
def test_nobody_asks_a_family_for_its_name(path: Path):
    """``if family == "ae"`` is a fact about a family that it should declare. (Tests pick trials by name.)"""
    known = set(names())
    asked = [
        f"{relative(path)}:{node.lineno} {ast.unparse(node)}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Compare)
        and any(isinstance(operator, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for operator in node.ops)
        and known & {word for operand in (node.left, *node.comparators) for word in words(operand)}
    ]
    assert not asked, (
        f"{asked}: declare the fact on the class (vaecore/families/__init__.py), and ask for that"
    )

"""An entry of the catalogue, and the words that its parts are written in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

__all__ = ["Entry", "OptionRow", "citations", "file_of", "flow", "nested", "title_and_text", "written"]

YEAR = re.compile(r"\b(19|20)\d\d\b")
AUTHOR = re.compile(r"\b[A-Z]\.([ -]?[A-Z]\.)* [^\W\d_]{2}")
"""Initials and a name: with a year, they mark a paragraph that cites."""


@dataclass(frozen=True)
class OptionRow:
    """One option of an entry, in words."""

    name: str
    meaning: str
    """One sentence or more; empty where only the entry's text explains the option."""
    default: str
    """As params.yaml writes it; empty where the option is required."""
    allowed: str
    """The values that are allowed: "a finite number ≥ 0"."""
    symbol: str = ""
    """As the papers write it; empty where they have none."""
    unit: str = ""
    """Empty for a pure number."""
    scheduled: bool = False
    """Whether a ``{schedule: ...}`` mapping is allowed too."""


@dataclass(frozen=True)
class Entry:
    """One file that params.yaml can name."""

    kind: str
    """One of ``KINDS``."""
    name: str
    """The file's name, and the name everywhere else."""
    title: str
    """One line."""
    file: str
    """Path from the root of the repository."""
    text: str
    """The module's docstring after its first paragraph: definition, symbols, papers. A metric's function adds
    its own docstring."""
    options: tuple[OptionRow, ...]
    papers: tuple[str, ...]
    """Paragraphs that cite: authors, title, year, arXiv number."""
    facts: tuple[tuple[str, str], ...]
    """What else the module declares: (what, in words)."""
    example: str
    """YAML for params.yaml; empty where params.yaml does not name files of this kind."""


def file_of(module: str) -> str:
    """The path of a module from the root of the repository."""
    return f"{module.replace('.', '/')}.py"


def title_and_text(module: ModuleType) -> tuple[str, str]:
    """The first paragraph of a module's docstring as one line, without its full stop; and the rest."""
    title, _, text = (module.__doc__ or "").strip().partition("\n\n")
    return " ".join(title.split()).removesuffix("."), text.strip("\n")


def citations(text: str) -> tuple[str, ...]:
    """The paragraphs that cite, each as one line."""
    paragraphs = (" ".join(each.split()) for each in re.split(r"\n\s*\n", text))
    return tuple(each for each in paragraphs if YEAR.search(each) and AUTHOR.search(each))


def written(value: Any) -> str:
    """A value as params.yaml writes it."""
    return value if isinstance(value, str) else json.dumps(value)


def flow(values: Mapping[str, Any]) -> str:
    """A YAML mapping in one line."""
    return "{" + ", ".join(f"{key}: {written(value)}" for key, value in values.items()) + "}"


def nested(key: str, *lines: str) -> str:
    """YAML lines under a key."""
    return "\n".join([f"{key}:", *(f"  {line}" for line in lines)]) + "\n"

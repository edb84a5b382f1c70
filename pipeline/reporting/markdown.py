"""Markdown of generated documentation: tables, and what pages say of a catalogue entry's options."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.study.catalogue import OptionRow

__all__ = ["options", "table"]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; cells may hold pipes and line ends."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def options(rows: Sequence[OptionRow]) -> str:
    """A table with a row per option. A column that is empty in every row is left out."""
    columns = {
        "option": [f"`{row.name}`" for row in rows],
        "symbol": [row.symbol for row in rows],
        "meaning": [row.meaning.replace("``", "`") for row in rows],
        "unit": [row.unit for row in rows],
        "default": [f"`{row.default}`" if row.default else "required" for row in rows],
        "allowed": [row.allowed for row in rows],
        "schedule": ["yes" if row.scheduled else "" for row in rows],
    }
    kept = {name: column for name, column in columns.items() if any(column)}
    return table(list(kept), list(zip(*kept.values(), strict=True)))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")

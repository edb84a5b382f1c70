"""One family, network, metric, data set, ...: its definition, options with their ranges, papers."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from rich.console import Console
from rich.table import Table

from pipeline.errors import UserError
from pipeline.study.catalogue import KINDS, Entry, find, names

__all__ = ["add_arguments", "main"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The name."""
    parser.add_argument("name", metavar="NAME", help="as in params.yaml: factor_vae, mig, dsprites, ...")


def main(options: argparse.Namespace) -> int:
    """Print every entry of that name."""
    found = find(options.name)
    if not found:
        known = [name for kind in KINDS for name in names(kind)]
        near = get_close_matches(options.name, known, n=3)
        meant = f" Close to it: {', '.join(near)}." if near else ""
        raise UserError(f"nothing is called {options.name!r}.{meant} `betabench list` shows all names.")
    console = Console(highlight=False)
    for entry in found:
        write(entry, console)
    return 0


def write(entry: Entry, console: Console) -> None:
    """One entry, section by section."""
    console.rule(f"{entry.kind}: {entry.name}")
    console.print(entry.title, style="bold", markup=False)
    console.print(entry.file, style="dim", markup=False)
    console.print()
    console.print(entry.text, markup=False, soft_wrap=True)
    if entry.facts:
        console.print()
        console.print(grid(entry.facts))
    if entry.options:
        console.print("\noptions", style="bold")
        console.print(grid(rows(entry), ("name", "default", "allowed", "meaning")))
    if entry.example:
        console.print("\nin params.yaml", style="bold")
        console.print(entry.example, markup=False)
    console.print()


def rows(entry: Entry) -> Iterable[Sequence[str]]:
    """Name, default, range, meaning of each option."""
    for option in entry.options:
        name = f"{option.name} ({option.symbol})" if option.symbol else option.name
        allowed = f"{option.allowed}, or a schedule" if option.scheduled else option.allowed
        meaning = f"{option.meaning} ({option.unit})" if option.unit else option.meaning
        yield name, option.default or "required", allowed, meaning


def grid(lines: Iterable[Sequence[str]], header: Sequence[str] = ()) -> Table:
    """Columns, without a frame."""
    table = Table(box=None, pad_edge=False, show_header=bool(header))
    listed = [[part.replace("[", r"\[") for part in line] for line in lines]
    for title in header or [""] * len(listed[0]):
        table.add_column(title, overflow="fold")
    for line in listed:
        table.add_row(*line)
    return table

"""All names of a kind, with a line on each: families, networks, schedules, metrics, datasets, ..."""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.table import Table

from pipeline.study.catalogue import KINDS, entries

__all__ = ["add_arguments", "main"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The kind, or none for a count of each."""
    parser.add_argument("kind", nargs="?", choices=KINDS, metavar="KIND", help=", ".join(KINDS))


def main(options: argparse.Namespace) -> int:
    """Print a table."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    if options.kind is None:
        for kind in KINDS:
            table.add_row(kind, ", ".join(entry.name for entry in entries(kind)))
    else:
        for entry in entries(options.kind):
            table.add_row(entry.name, f"{entry.title}{settings(entry.options)}")
    Console(highlight=False).print(table)
    return 0


def settings(options: tuple) -> str:
    """Names of options, in brackets."""
    return f"  [dim]\\[{', '.join(option.name for option in options)}][/dim]" if options else ""

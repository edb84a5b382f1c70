"""MLflow's user interface on this machine, at http://localhost:5000 (PORT=5001 for another port)."""

from __future__ import annotations

import argparse

from pipeline import ui

__all__ = ["add_arguments", "main"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""


def main(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    ui.main()
    return 0

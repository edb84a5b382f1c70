"""Run a stage of the pipeline in this process, as ``python3 -m pipeline.<stage>`` does in its own."""

from __future__ import annotations

import contextlib
import io
import runpy
import sys
import warnings
from pathlib import Path
from subprocess import CompletedProcess

import pytest

__all__ = ["run_stage"]


def run_stage(name: str, folder: Path) -> CompletedProcess[str]:
    """The stage's exit status and what it printed; a traceback is an exception here."""
    out, err = io.StringIO(), io.StringIO()
    status = 0
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.chdir(folder)
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setattr(sys, "argv", [name])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*found in sys.modules", category=RuntimeWarning)
            try:
                runpy.run_module(f"pipeline.{name}", run_name="__main__")
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else 1
    return CompletedProcess([name], status, out.getvalue(), err.getvalue())

"""Shared by all commands: their options, their log lines, and the files that they write."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from benchmarks import study_model
from pipeline.store.files import atomic

__all__ = ["SCRATCH", "digest", "log", "parser", "reason", "write"]

SCRATCH = Path(__file__).parent / "scratch"
"""The folder of unfinished work, such as saved trainings."""
PRECISIONS = ("auto", "float32", "bfloat16")
FAMILIES = list(study_model.FAMILIES)
OPTIONS: dict[str, dict[str, Any]] = {
    "families": {"nargs": "+", "choices": FAMILIES, "default": FAMILIES, "metavar": "FAMILY"},
    "precision": {"choices": PRECISIONS, "default": "auto", "help": "precision of our training"},
    "images": {"type": int, "default": 20_000, "help": "number of dSprites images, evenly spaced"},
    "seconds": {"type": float, "help": "duration of one measurement"},
    "rounds": {"type": int, "help": "measurements of each row"},
    "chunk": {"type": int, "help": "steps between two looks at the clock"},
    "device": {"choices": ["cpu", "cuda"], "help": "cuda if there is a GPU"},
    "out": {"type": Path, "help": "folder of the JSON file, instead of benchmarks/results"},
}


def parser(name: str, doc: str | None, *options: str, **defaults: Any) -> argparse.ArgumentParser:
    """The parser of ``python -m benchmarks.<name>`` with ``options`` of ``OPTIONS``.

    The first line of ``doc`` is its description. ``defaults`` are by option; that of ``device`` is cuda if
    there is a GPU.
    """
    described = (doc or "").split("\n")[0]
    made = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=described)
    for option in options:
        made.add_argument(f"--{option}", **OPTIONS[option])
    if "device" in options:
        defaults = {"device": "cuda" if torch.cuda.is_available() else "cpu"} | defaults
    made.set_defaults(**defaults)
    return made


def write(path: Path, content: Mapping[str, Any], indent: int | None = 1) -> None:
    """Write ``content`` as JSON, atomically."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(content, indent=indent, ensure_ascii=False) + "\n")


def digest(value: Any) -> str:
    """A short digest of a JSON value, for the name of a file in ``SCRATCH``."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:12]


def log(text: str) -> None:
    """Print a line of progress with the time of day, to the standard error stream."""
    print(f"{datetime.now():%H:%M:%S} {text}", file=sys.stderr, flush=True)


def reason(error: Exception) -> str:
    """One line that says what went wrong."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return "out of memory"
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:120]}"

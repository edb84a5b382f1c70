"""Checks of captured, packed and resumed trainings: ``python -m benchmarks.capture``.

Small trainings of every family, on a GPU, or on a CPU without the check that needs a GPU:

    replayed    a captured run records the same numbers as a run without capture, within 1e-5: the kernels
                are the same, but sums may be in another order (on a GPU only)
    packed      trainings side by side record the same numbers as each of them alone, bit for bit
    resumed     a run that is resumed from a saved state has the same rows and weights as one without
                interruption, bit for bit

A check returns a line that says what is wrong, or an empty string. tests/vaecore/test_capture.py makes the
same checks with pytest, and further checks of captured steps on a CPU. This command does not need pytest.
"""

from __future__ import annotations

import argparse
import io
import math
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks import command, machine
from benchmarks.small_trainings import EVERY, begin, sampler
from benchmarks.table import table
from vaecore.lockstep import advance
from vaecore.training import Row, Training, train

__all__ = ["main", "packed", "parse", "replayed", "resumed"]

ROUNDING = 1e-5
SEEDS = (0, 1)


def replayed(name: str, device: str = "cuda") -> str:
    """A captured run against a run without capture."""
    captured, plain = begin(name, device=device), begin(name, device=device)
    assert plain._replayed is not None, "there is no capture on a CPU"
    plain._replayed.warm_up = plain.settings.steps
    return _difference(list(train(captured)), list(train(plain)), ROUNDING)


def packed(names: Sequence[str], device: str = "cuda") -> str:
    """Two seeds of each of ``names``, side by side on one copy of the data, against each training alone."""
    which = [(name, seed) for name in names for seed in SEEDS]
    data = sampler().to(device)
    trainings = [begin(name, device=device, seed=seed, data=data) for name, seed in which]
    rows: list[list[Row]] = [[] for _ in trainings]
    while trainings and trainings[0].step < trainings[0].settings.steps:
        for seen, outcome in zip(rows, advance(trainings), strict=True):
            if isinstance(outcome, Exception):
                raise outcome
            seen.append(outcome)
    for (name, seed), seen in zip(which, rows, strict=True):
        alone = list(train(begin(name, device=device, seed=seed)))
        if wrong := _difference(seen, alone):
            return f"{name}, seed {seed}: {wrong}"
    return ""


def resumed(name: str, device: str = "cuda") -> str:
    """A run that is stopped at its first row and resumed from a file, against a run without interruption."""
    whole, half, other = (begin(name, device=device) for _ in range(3))
    rows = list(train(whole))
    first = next(train(half))
    other.load_state_dict(_through_a_file(half))
    if wrong := _difference([first, *train(other)], rows):
        return wrong
    states = [each.family.state_dict() for each in (other, whole)]
    moved = [key for key, value in states[0].items() if not torch.equal(value, states[1][key])]
    return f"{moved[0]} differs at the end" if moved else ""


def _through_a_file(training: Training) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(training.state_dict(), file)
    state: dict[str, Any] = torch.load(io.BytesIO(file.getvalue()), weights_only=True)
    return state


def _difference(rows: Sequence[Row], expected: Sequence[Row], tolerance: float = 0.0) -> str:
    """The first number that differs by more than the relative ``tolerance``, in a line; else empty."""
    if [step for step, _ in rows] != [step for step, _ in expected]:
        return f"{len(rows)} rows instead of {len(expected)}"
    for (step, row), (_, other) in zip(rows, expected, strict=True):
        if row.keys() != other.keys():
            return f"step {step}: other terms, {sorted(row.keys() ^ other.keys())}"
        for term, value in row.items():
            if not math.isclose(value, other[term], rel_tol=tolerance, abs_tol=tolerance * 1e-7):
                return f"step {step}: {term} is {value!r} instead of {other[term]!r}"
    return ""


def checks(names: Sequence[str], device: str) -> Iterator[tuple[str, str, Callable[[], str]]]:
    """(name of the check, name of the family, the check)"""
    if device == "cuda":
        yield from (("replayed", name, partial(replayed, name, device)) for name in names)
    yield "packed", "all", partial(packed, names, device)
    yield from (("resumed", name, partial(resumed, name, device)) for name in names)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = command.parser("capture", __doc__, "device", "out")
    parser.add_argument("--families", nargs="+", choices=EVERY, default=EVERY, metavar="FAMILY")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> Path:
    """Check, print, write; the JSON file's path."""
    settings = parse(arguments)
    described = machine.describe(settings.device)
    found: list[dict[str, Any]] = []
    for check, name, run in checks(settings.families, settings.device):
        start = time.perf_counter()
        try:
            wrong = run()
        except Exception as error:  # a row of the table; the other checks go on
            wrong = command.reason(error)
        found.append(
            {"check": check, "of": name, "failed": wrong or None, "seconds": time.perf_counter() - start}
        )
    lines = [[row["check"], row["of"], row["failed"] or "holds", f"{row['seconds']:.1f}"] for row in found]
    print(table(["check", "of", "", "seconds"], lines, left=3))
    failed = sum(row["failed"] is not None for row in found)
    print(f"{len(found) - failed} of {len(found)} checks hold on {described['device']}")
    path = machine.result_path("capture", described, ".json", settings.out)
    options = {"families": settings.families, "device": settings.device}
    content = {"benchmark": "capture", "machine": described, "settings": options, "failed": failed}
    command.write(path, content | {"checks": found})
    print(f"written: {path}")
    return path


if __name__ == "__main__":
    main()

"""Seconds per metric, beside a peer's: ``python -m benchmarks.metrics`` (``make bench-metrics``).

It measures the suite, the metrics that the 12,600-model study computes for every model, on codes of a made-up
model of dSprites (``benchmarks.synthetic_codes``) or from a file: ours, and those of disentanglement_lib
(``benchmarks.disentanglement_lib``) if it is installed. Then it measures all our other metrics of codes. Each
number of threads is a process of its own (``benchmarks.metric_timing``), in which the two sides take turns.

    seconds   wall time of one call, from arrays in memory to scores: the median over the calls after the
              first one. Imports do not count. The peer's calls of more than 5 seconds are made once
    × ours    the peer's seconds / ours
    scores    of both sides, which should agree: exactly if nothing is drawn or fitted
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import metrics
from benchmarks import machine, metric_report, metric_timing, synthetic_codes
from benchmarks.metric_timing import SUITE, Task

__all__ = ["main", "measure", "parse", "selected"]

ROOT = Path(__file__).parents[1]
PEER = "disentanglement_lib"
DEFAULTS: dict[str, Any] = {
    "rows": [synthetic_codes.TRAIN_ROWS, synthetic_codes.TEST_ROWS],
    "sizes": list(synthetic_codes.SIZES),
    "points": [10_000, 5_000],
    "repeats": 3,
}
LIBRARIES = ("numpy", "scipy", "scikit-learn", "disentanglement-lib", "gin-config")
IDLE = 0.5
"""Load of the machine above which a note warns of it."""


def selected(only: Sequence[str] | None, file: bool) -> list[str]:
    """Rows of the suite, then the other metrics. file: codes come from one, without standard deviations."""
    arrays = ["codes", "factors", "targets", *([] if file else ["mean", "std"])]
    rows = [*SUITE, *metric_timing.others(arrays)]
    return [row for row in rows if not only or {row, *metric_timing.ours_of(row)} & set(only)]


def measure(task: Task) -> Iterator[dict[str, Any]]:
    """The rows of a process of ``task.threads`` threads, as they come.

    Raises RuntimeError if the process ends before the last row.
    """
    threads = {
        f"{library}_NUM_THREADS": str(task.threads)
        for library in ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM")
    }
    command = [sys.executable, "-m", "benchmarks.metric_timing", json.dumps(asdict(task))]
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | threads, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield from map(json.loads, process.stdout)
        except BaseException:  # also if the caller stops iterating
            process.kill()
            raise
    if process.returncode:
        raise RuntimeError(
            f"the process of {task.threads} thread(s) ended with status {process.returncode} before it had "
            "measured all; its own error is above"
        )


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.metrics", description=__doc__.split("\n")[0])
    known = sorted({*metrics.names(), *SUITE})
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", choices=known, help="metrics; all of codes if left out"
    )
    parser.add_argument("--skip-peer", action="store_true", help="ours alone")
    parser.add_argument("--threads", type=int, nargs="+", help="one process for each number; 1 and 2")
    parser.add_argument(
        "--rows", type=int, nargs=2, metavar=("TRAIN", "TEST"), help="of the table; 10,000 and 5,000"
    )
    parser.add_argument(
        "--points",
        type=int,
        nargs=2,
        metavar=("TRAIN", "TEST"),
        help="of the β-VAE and FactorVAE scores; 10,000 and 5,000",
    )
    parser.add_argument("--sizes", type=int, nargs="+", help="values of each factor; dSprites'")
    parser.add_argument(
        "--codes",
        type=Path,
        metavar="FILE.npz",
        help="arrays codes_train, codes_test, factors_train, factors_test to score instead",
    )
    parser.add_argument(
        "--repeats", type=int, help="calls after the first of each; 3, and 15 where they take under 0.1 s"
    )
    parser.add_argument("--out", type=Path, help="folder of the JSON file, instead of benchmarks/results")
    settings = parser.parse_args(arguments)
    if settings.codes and settings.sizes:
        parser.error("--sizes belong to the made-up model; leave them out with --codes")
    numbers = [
        *(settings.rows or []),
        *(settings.points or []),
        *(settings.threads or []),
        settings.repeats or 1,
    ]
    if min(numbers) < 1:
        parser.error("rows, points, threads and repeats: numbers from 1")
    if settings.sizes and (len(settings.sizes) < 2 or min(settings.sizes) < 2):
        parser.error("--sizes: two factors or more, each of two values or more")
    settings.reduced = bool(settings.only) or any(
        getattr(settings, name) not in (None, value) for name, value in DEFAULTS.items()
    )
    for name, value in DEFAULTS.items():
        if getattr(settings, name) is None and not (settings.codes and name in ("rows", "sizes")):
            setattr(settings, name, value)
    settings.threads = settings.threads or [n for n in (1, 2) if n <= machine.cores()]
    return settings


def main(arguments: Sequence[str] | None = None) -> Path:
    """Measure, print, write; the JSON file's path."""
    settings = parse(arguments)
    names = selected(settings.only, bool(settings.codes))
    if not names:
        raise SystemExit(
            f"--only {' '.join(settings.only)}: none is a metric of codes that can be measured here"
        )
    described = machine.describe("cpu") | {name: machine.version(name) for name in LIBRARIES}
    described["load"] = os.getloadavg()[0]
    peer = not settings.skip_peer and all(importlib.util.find_spec(package) for package in (PEER, "gin"))
    notes = remarks(settings, names, described["load"], peer)
    name = "metrics" + (f"-{settings.codes.stem}" if settings.codes else "")
    path = machine.result_path(
        name + ("-reduced" if settings.reduced else ""), described, ".json", settings.out
    )
    print("\n".join([heading(described, settings), *notes]), flush=True)
    results: dict[int, list[dict[str, Any]]] = {}
    for threads in settings.threads:
        task = Task(
            metrics=names, threads=threads, repeats=settings.repeats, peer=peer, rows=settings.rows,
            sizes=settings.sizes or (), points=settings.points,
            codes=str(settings.codes.resolve()) if settings.codes else None,
        )  # fmt: skip
        results[threads] = []
        for row in measure(task):
            results[threads].append(row)
            say(f"{threads} thread(s): {row['metric']}")
            write(path, described, settings, notes, results)  # after each: a run cut short keeps these
        stated = threads == 1 and not settings.reduced and not settings.codes
        print(f"\n{threads} thread(s)\n{metric_report.suite_table(results[threads], stated)}", flush=True)
    for text in (
        metric_report.others_table(results),
        metric_report.scores_table(results[settings.threads[0]]),
    ):
        print(f"\n{text}" if text else "", end="\n" if text else "")
    print(f"\nwritten: {path}")
    return path


def remarks(settings: argparse.Namespace, names: Sequence[str], load: float, peer: bool) -> list[str]:
    """Notes for a reader of the figures of this run."""
    notes = []
    measured = {metric for row in names for metric in (row, *metric_timing.ours_of(row))}
    if missing := sorted(set(settings.only or ()) - measured):
        notes.append(f"left out, as they need arrays beside codes and factors: {', '.join(missing)}")
    if load > IDLE:
        notes.append(f"load {load:.1f} before the start: if others use this machine, times are too long")
    if not peer and not settings.skip_peer:
        notes.append(
            f"{PEER} is not installed: ours alone. Install it with make bench-metrics, or as peers.txt says"
        )
    if peer and settings.codes:
        notes.append("a file has no codes of fresh images, which the peer's β-VAE and FactorVAE scores draw")
    return notes


def heading(described: Mapping[str, Any], settings: argparse.Namespace) -> str:
    """The source of the codes and the machine."""
    rows = "all rows" if settings.rows is None else "{:,} training and {:,} test rows".format(*settings.rows)
    source = settings.codes or f"a made-up model, factors of {', '.join(map(str, settings.sizes))} values"
    versions = ", ".join(f"{name} {described[name] or '-'}" for name in LIBRARIES[:4])
    return (
        f"seconds per metric: {source}; {rows}\n"
        f"{described['device']}, {described['cores']} cores; python {described['python']}, {versions}; "
        f"{described['date']}; commit {(described['commit'] or 'unknown')[:12]}"
    )


def write(
    path: Path,
    described: Mapping[str, Any],
    settings: argparse.Namespace,
    notes: Sequence[str],
    results: Mapping[int, Sequence[Mapping[str, Any]]],
) -> None:
    """Write everything as JSON, in one step."""
    plain = {key: value for key, value in vars(settings).items() if key != "out"}
    content = {
        "benchmark": "metrics",
        "machine": dict(described),
        "settings": plain | {"codes": settings.codes and settings.codes.name},
        "stated_seconds": metric_report.STATED,
        "notes": list(notes),
        "threads": {
            str(threads): {"suite": metric_report.suite(rows), "metrics": list(rows)}
            for threads, rows in results.items()
        },
    }
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    os.replace(temporary, path)


def say(what: str) -> None:
    print(f"{datetime.now():%H:%M:%S} {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

"""Seconds and scores of metrics with our own solvers and scikit-learn's: ``python -m benchmarks.solvers``.

    ours            the metrics of commit ``OWN``, the last one at which every solver was our own
    scikit-learn    the metrics of this checkout, with LogisticRegression in place of our logistic regression
    seconds         CPU time of one call on one thread: the least of the rounds; both sides take turns
    times           seconds of scikit-learn / seconds of ours
    difference      the largest one between the scores of both sides

Each side is a process of its own. The codes are those of a made-up model of dSprites, or of a file
(``benchmarks.synthetic_codes``). The peers of UDR are made from these codes: each has another order, other
signs, and some noise.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from benchmarks import machine, synthetic_codes
from benchmarks.solver_timing import METRICS
from benchmarks.table import table

__all__ = ["OWN", "main"]

ROOT = Path(__file__).parents[1]
OWN = "10555e1bbc04"
SIDES = ("ours", "scikit-learn")
ROWS = [synthetic_codes.TRAIN_ROWS, synthetic_codes.TEST_ROWS]
LIBRARIES = ("numpy", "scipy", "scikit-learn")


def _in_a_process(side: str, chosen: argparse.Namespace, folder: Path) -> dict[str, dict[str, Any]]:
    """The answer of ``solver_timing`` for one side; ``folder`` holds the package ``metrics``."""
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    file = str(chosen.codes.resolve()) if chosen.codes else None
    task = json.dumps({"side": side, "metrics": chosen.metrics, "rows": chosen.rows, "file": file})
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.solver_timing", task],
        cwd=folder,
        env=os.environ | threads | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answer: dict[str, dict[str, Any]] = json.loads(run.stdout)
    return answer


def _unpack(commit: str, folder: Path) -> None:
    """Write the package ``metrics`` of a commit into ``folder``. Raises SystemExit if git lacks it."""
    run = subprocess.run(["git", "archive", commit, "metrics"], cwd=ROOT, capture_output=True, check=False)
    if run.returncode:
        raise SystemExit(f"--own {commit}: {run.stderr.decode().strip()}; fetch the whole history first")
    with tarfile.open(fileobj=BytesIO(run.stdout)) as archive:
        archive.extractall(folder, filter="data")


def compared(rounds: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Side -> answers of its rounds -> one row per metric."""
    rows = []
    for name in rounds["ours"][0]:
        seconds = {side: [answer[name]["seconds"] for answer in rounds[side]] for side in SIDES}
        own, other = (rounds[side][0][name]["scores"] for side in SIDES)
        rows.append(
            {
                "metric": name.split(".")[1],
                "solver": METRICS[name],
                "seconds": {side: min(all_of) for side, all_of in seconds.items()},
                "rounds": seconds,
                "times": min(seconds["scikit-learn"]) / min(seconds["ours"]),
                "difference": max(abs(own[key] - other[key]) for key in own),
                "scores": {"ours": own, "scikit-learn": other},
            }
        )
    return rows


def text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table for people."""
    cells = [
        (
            row["metric"],
            row["solver"],
            *(f"{row['seconds'][side]:.3f}" for side in SIDES),
            f"{row['times']:.1f}×",
            f"{row['difference']:.1e}",
        )
        for row in rows
    ]
    return table(["metric", "solver", "ours, s", "scikit-learn, s", "times", "difference"], cells, left=2)


def main(arguments: Sequence[str] | None = None) -> Path:
    """Measure, print, write; the path of the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.solvers", description=__doc__.split("\n")[0])
    parser.add_argument("--metrics", nargs="+", choices=METRICS, default=list(METRICS))
    parser.add_argument(
        "--rows", type=int, nargs=2, metavar=("TRAIN", "TEST"), default=ROWS, help="10,000 and 5,000"
    )
    parser.add_argument(
        "--codes", type=Path, metavar="FILE.npz", help="codes to score, as in benchmarks.metrics"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--own", default=OWN, metavar="COMMIT", help="whose metrics are the side `ours`")
    parser.add_argument("--out", type=Path, help="folder of the JSON file, instead of benchmarks/results")
    chosen = parser.parse_args(arguments)
    described = machine.describe("cpu") | {name: machine.version(name) for name in LIBRARIES}
    described["load"] = os.getloadavg()[0]
    name = "solvers" + (f"-{chosen.codes.stem}" if chosen.codes else "")
    path = machine.result_path(name, described, ".json", chosen.out)
    answers: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as folder:
        _unpack(chosen.own, Path(folder))
        for _ in range(chosen.rounds):
            for side, where in zip(SIDES, (Path(folder), ROOT), strict=True):
                answers[side].append(_in_a_process(side, chosen, where))
    rows = compared(answers)
    settings = {"own": chosen.own, "rows": chosen.rows, "codes": chosen.codes and chosen.codes.name}
    content = {"benchmark": "solvers", "machine": described, "settings": settings, "rows": rows}
    path.write_text(json.dumps(content, indent=1) + "\n")
    print(f"{described['device']}, one thread\n\n{text(rows)}\n\nwritten: {path}")
    return path


if __name__ == "__main__":
    main()

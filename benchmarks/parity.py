"""Loss parity: do the fast path and a plain float32 loop learn the same? ``python -m benchmarks.parity``

Trains every family on both paths (``benchmarks.curves``) from several seeds, 2,000 steps of the study's model
on dSprites. Compares the difference between the paths, in the curves of the loss and its terms, with the
differences between seeds (``benchmarks.seed_noise`` states the criterion). Prints a table and writes to
benchmarks/results/ a JSON file with all curves and, if matplotlib is installed, a figure.

Every finished run is kept in benchmarks/scratch/, in a folder named by a digest of the settings and the code.
An interrupted command resumes with the missing runs; after a change of the code all runs start again.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import command, machine, sprites
from benchmarks.curves import PATHS, Course, Curves, curves
from benchmarks.reference import WITH_CRITIC
from benchmarks.seed_noise import LEVEL, compare
from benchmarks.table import table
from vaecore.memory import keep_freed_memory

__all__ = ["main", "parse"]

HERE = Path(__file__).parent
Task = tuple[str, int, str]
"""Family, seed, path."""


def run(task: Task, course: Course, folder: Path, file: Path) -> None:
    """One run, in its own process; its curves are written to ``file``."""
    family, seed, path = task
    keep_freed_memory()  # for the plain loop too: it saves time and changes no result
    command.write(file, curves(path, family, sprites.packed(folder), seed, course), indent=None)


def run_all(
    tasks: Sequence[Task], course: Course, images: int, processes: int, threads: int
) -> dict[Task, Curves]:
    """The curves of all tasks; tasks whose curves are not in scratch are run now."""
    scratch = command.SCRATCH / f"parity-{_digest(course, images)}"
    scratch.mkdir(parents=True, exist_ok=True)
    files = {task: scratch / f"{task[0]}-{task[2]}-{task[1]}.json" for task in tasks}
    missing = [task for task in tasks if not files[task].exists()]
    if len(missing) < len(tasks):
        print(f"{len(tasks) - len(missing)} of {len(tasks)} runs were done before ({scratch})")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "packed.npy", sprites.draw(images))
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(
            processes, mp_context=context, initializer=torch.set_num_threads, initargs=(threads,)
        ) as pool:
            running = {pool.submit(run, task, course, folder, files[task]): task for task in missing}
            for number, future in enumerate(as_completed(running), 1):
                future.result()
                family, seed, path = running[future]
                command.log(f"{family}, seed {seed}, {path}: {number} of {len(missing)}")
    return {task: json.loads(file.read_text()) for task, file in files.items()}


def _digest(course: Course, images: int) -> str:
    """Digest of all that a curve depends on."""
    code = [(HERE / name).read_text() for name in ("reference.py", "curves.py", "study_model.py")]
    return command.digest([asdict(course), images, torch.__version__, machine.engine(), *code])


def compared(family: str, seeds: Sequence[int], done: dict[Task, Curves]) -> dict[str, Any]:
    """The family's comparison and curves."""
    shared = set(done[family, seeds[0], "fast"]) & set(done[family, seeds[0], "reference"]) - {"step"}
    terms = [name for name in done[family, seeds[0], "reference"] if name in shared]
    stacked = {
        path: {name: np.array([done[family, seed, path][name] for seed in seeds]) for name in terms}
        for path in PATHS
    }
    steps = np.array(done[family, seeds[0], "fast"]["step"])
    return {
        "steps": steps.tolist(),
        "comparison": compare(steps, stacked["fast"], stacked["reference"]),
        "curves": {path: {name: values.tolist() for name, values in stacked[path].items()} for path in PATHS},
    }


def parity_table(results: dict[str, Any]) -> str:
    """A row per family and term, and the verdicts."""
    rows = []
    verdicts = []
    for family, result in results.items():
        comparison = result["comparison"]
        for name, size in comparison["terms"].items():
            rows.append(
                [
                    f"{family} {name}",
                    *(f"{size[key]:.4g}" for key in ("max_nats", "rms_nats", "max_sigma", "rms_sigma")),
                    f"{size['outside']} of {size['points']}",
                ]
            )
        says = {True: "within seed noise", False: "NOT within seed noise", None: "no verdict: needs 4 seeds"}
        verdicts.append(
            f"{family}: {says[comparison['within_seed_noise']]} "
            f"(T {comparison['T']:.3g}, p {comparison['p']:.3g}, bound p > {LEVEL})"
        )
    head = ["mean of fast - mean of reference", "max nats", "rms nats", "max σ", "rms σ", "outside ±2 s.e."]
    return table(head, rows) + "\n" + "\n".join(verdicts)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = command.parser("parity", __doc__, "families", "images", "precision", "device", "out")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds; a verdict needs 4")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--every", type=int, default=50, help="steps per recorded interval")
    parser.add_argument("--processes", type=int, help="runs at the same time; default: one per core of a CPU")
    settings = parser.parse_args(arguments)
    settings.processes = settings.processes or min(machine.cores(), 16 if settings.device == "cpu" else 2)
    return settings


def main(arguments: Sequence[str] | None = None) -> Path:
    """Train, compare, print, write; the JSON file's path."""
    settings = parse(arguments)
    course = Course(settings.steps, settings.every, settings.precision, settings.device)
    described = machine.describe(settings.device)
    seeds = range(settings.seeds)
    # slow families first
    order = sorted(settings.families, key=lambda family: family not in WITH_CRITIC)
    tasks = [(family, seed, path) for family in order for seed in seeds for path in reversed(PATHS)]
    threads = max(1, machine.cores() // settings.processes)
    done = run_all(tasks, course, settings.images, settings.processes, threads)
    results = {family: compared(family, seeds, done) for family in settings.families}
    print(parity_table(results))
    path = machine.result_path("parity", described, ".json", settings.out)
    content = {
        "benchmark": "parity",
        "machine": described,
        "settings": asdict(course) | {"images": settings.images, "seeds": settings.seeds},
        "families": results,
    }
    command.write(path, content, indent=None)
    print(f"written: {path}")
    if importlib.util.find_spec("matplotlib") is None:
        print("no figure: matplotlib is not installed")
    else:
        from benchmarks.parity_figure import draw

        print(f"written: {draw(content, path.with_suffix('.svg'))}")
    return path


if __name__ == "__main__":
    main()

"""Everything that a GPU is wanted for, in one command: ``python -m benchmarks.gpu`` (``make bench-gpu``).

    capture      the checks of captured steps, packs and resumed runs             benchmarks.capture
    training     images/s of three families, alone and packed, beside pythae, a plain loop and the matrix rate      benchmarks.training
    packing      images/s of each candidate of packing, for two networks          benchmarks.packing
    published    what disentangling-vae logged, and what ours learns              benchmarks.published

Each part is these commands with settings for a GPU that is lent for minutes: torch and numpy are all that they need, and pythae is taken
from benchmarks/wheels/ where it is not installed (``make gpu-wheels``). A command is started if what is left of ``--minutes`` suffices; its
result is written as soon as it is done, and the training of published numbers is saved while it runs. The same command goes on: what has
a result of the same device, PyTorch, vaecore and settings is done. To measure anew, delete that file.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from benchmarks import capture, carried, machine, packing, published, training
from benchmarks.table import table

__all__ = ["PARTS", "Task", "main"]

COMMANDS: dict[str, ModuleType] = {
    "capture": capture,
    "training": training,
    "packing": packing,
    "published": published,
}
PARTS = tuple(COMMANDS)


@dataclass(frozen=True)
class Task:
    """One command with its options."""

    part: str
    options: str = ""
    only: str = ""
    """The family or network that it is about, which stands in the name of its result."""
    seconds: float = 60.0
    """What it takes at most, estimated; less time than that, and it is not started."""
    takes_the_rest: bool = False
    """Whether it stops in time by itself, and goes on later."""

    @property
    def name(self) -> str:
        return f"{self.part}-{self.only}" if self.only else self.part


SPEED = "--processes 1 --packs 1 4 16 --rounds 2 --seconds 1 --chunk 100"
MODELS = "--models 1 4 8 --rounds 2 --seconds 1"
SMALL = "--rounds 1 --seconds 0.01 --chunk 1 --images 130"
TASKS = {
    "cuda": [  # the seconds are guesses, until a GPU has said
        Task("capture", seconds=60),
        Task("training", f"--families vae {SPEED}", "vae", seconds=80),
        Task("training", f"--families factor_vae {SPEED}", "factor_vae", seconds=80),
        Task("training", f"--families beta_tc_vae {SPEED}", "beta_tc_vae", seconds=80),
        Task("packing", f"--networks conv {MODELS}", "conv", seconds=70),
        Task("packing", f"--networks mlp {MODELS}", "mlp", seconds=70),
        Task("published", seconds=45, takes_the_rest=True),
    ],
    "cpu": [  # whether everything runs
        Task("capture", "--families vae averaging", seconds=10),
        Task(
            "training",
            f"--families vae --contestants ours --processes 1 --packs 1 {SMALL}",
            "vae",
            seconds=20,
        ),
        Task("packing", f"--networks mlp --candidates stacked --models 1 {SMALL}", "mlp", seconds=20),
        Task("published", "--epochs 2 --epoch-steps 4 --images 130", seconds=10, takes_the_rest=True),
    ],
}


def result(task: Task, described: Mapping[str, Any], out: Path | None) -> dict[str, Any] | None:
    """What the newest complete result of ``task`` holds, by this device, PyTorch, vaecore and these settings, and its "file"."""
    wanted = vars(COMMANDS[task.part].parse([*task.options.split(), "--device", described["kind"]]))
    pattern = f"{task.name}-{machine.slug(described)}-*.json"
    for path in sorted((out or machine.RESULTS).glob(pattern), reverse=True):
        content: dict[str, Any] = json.loads(path.read_text())
        same = all(content["machine"].get(key) == described[key] for key in ("device", "torch", "vaecore"))
        settings = content["settings"]
        same = same and all(
            settings[key] == wanted[key] for key in settings.keys() & wanted.keys() - {"layouts"}
        )
        if same and content.get("complete", True):
            return content | {"file": path}
    return None


def carry_out(
    tasks: Sequence[Task], described: Mapping[str, Any], out: Path | None, minutes: float
) -> Iterator[tuple[Task, str, float]]:
    """Each task, what became of it, and the seconds that it took."""
    deadline = time.perf_counter() + 60 * minutes
    for task in tasks:
        start = time.perf_counter()
        left = deadline - start
        if found := result(task, described, out):
            yield task, f"{state(found)} before: {found['file']}", 0.0
            continue
        if left < task.seconds:
            yield task, f"left out: needs about {task.seconds:.0f} s, {max(left, 0):.0f} s are left", 0.0
            continue
        options = [*task.options.split(), "--device", described["kind"]]
        options += ["--out", str(out)] if out else []
        options += ["--minutes", f"{left / 60:.3f}"] if task.takes_the_rest else []
        print(f"\n{datetime.now():%H:%M:%S} benchmarks.{task.part} {' '.join(options)}", flush=True)
        try:
            path: Path = COMMANDS[task.part].main(options)
        except Exception as error:  # the others go on
            traceback.print_exc()
            yield task, f"FAILED: {type(error).__name__}", time.perf_counter() - start
            continue
        yield task, f"{state(json.loads(path.read_text()))}: {path}", time.perf_counter() - start


def state(content: Mapping[str, Any]) -> str:
    """What a result says of its task."""
    if content.get("failed"):
        return f"FAILED ({content['failed']} of it)"
    return "done" if content.get("complete", True) else "not complete"


def without_pythae(task: Task) -> Task:
    others = [name for name in training.CONTESTANTS if name != "pythae"]
    if task.part != "training" or "--contestants" in task.options:
        return task
    return replace(task, options=f"{task.options} --contestants {' '.join(others)}")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.split("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--minutes", type=float, default=8.0, help="in all")
    parser.add_argument("--device", choices=["cpu", "cuda"], help="cuda where there is one")
    parser.add_argument(
        "--out", type=Path, help="folder of the results, and of what published saves, instead of benchmarks/"
    )
    settings = parser.parse_args(arguments)
    settings.device = settings.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if settings.device == "cpu" and settings.out is None:
        parser.error("without a GPU this shows only that everything runs, at tiny sizes: give --out FOLDER")
    return settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out the parts and say what became of each; the number that failed."""
    settings = parse(arguments)
    described = machine.describe(settings.device)
    print(
        f"{described['device']}, torch {described['torch']}, commit {(described['commit'] or 'unknown')[:12]}"
    )
    tasks = [task for part in settings.parts for task in TASKS[settings.device] if task.part == part]
    with carried.unpacked():
        if "training" in settings.parts and (reason := carried.why_not("benchmarks.contestants.pythae")):
            print(f"pythae is left out: {reason} (make gpu-wheels)")
            tasks = [without_pythae(task) for task in tasks]
        became = list(carry_out(tasks, described, settings.out, settings.minutes))
    lines = [[task.name, what, f"{seconds:.0f}"] for task, what, seconds in became]
    print("\n" + table(["task", "", "seconds"], lines, left=2))
    if any(what.startswith(("left out", "not complete")) for _, what, _ in became):
        print("to go on: the same command, with the same folder of results")
    return sum(what.startswith("FAILED") for _, what, _ in became)


if __name__ == "__main__":
    sys.exit(main())

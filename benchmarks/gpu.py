"""All benchmarks that need a GPU, in one command: ``python -m benchmarks.gpu`` (``make bench-gpu``).

    capture      checks of captured steps, packs and resumed runs                 benchmarks.capture
    training     images/s of three families, alone and packed, beside pythae,
                 a plain loop and the matrix rate                                 benchmarks.training
    packing      images/s of each candidate of packing, for two networks          benchmarks.packing
    published    our numbers beside those that disentangling-vae logged           benchmarks.published

Each part runs its command with settings for a GPU that is available for minutes only. It needs torch and
numpy; if pythae is not installed, it is imported from benchmarks/wheels/ (``make gpu-wheels``). A command is
started if the rest of ``--minutes`` is long enough for it. Its result is written when it is done, and the
training of published numbers is saved while it runs. To go on after an interruption, run the same command
again: it skips parts that have a result of the same device, PyTorch, vaecore and settings. To measure again,
delete the file of the result.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks import capture, command, machine, packing, published, training, wheelhouse
from benchmarks.table import table

__all__ = ["COMMANDS", "PARTS", "TASKS", "Task", "main"]

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
    """The family or network of the task; part of its result's name."""
    seconds: float = 60.0
    """The estimated maximum duration; with less time left, the task is not started."""
    resumable: bool = False
    """Whether the command has the option --minutes, stops in time and can be resumed."""

    @property
    def name(self) -> str:
        return f"{self.part}-{self.only}" if self.only else self.part


SPEED = "--processes 1 --packs 1 4 16 --rounds 2 --seconds 1 --chunk 100"
MODELS = "--models 1 4 8 --rounds 2 --seconds 1"
SMALL = "--rounds 1 --seconds 0.01 --chunk 1 --images 130"
TASKS = {
    "cuda": [  # the seconds are estimates; no GPU has measured them yet
        Task("capture", seconds=60),
        Task("training", f"--families vae {SPEED}", "vae", seconds=80),
        Task("training", f"--families factor_vae {SPEED}", "factor_vae", seconds=80),
        Task("training", f"--families beta_tc_vae {SPEED}", "beta_tc_vae", seconds=80),
        Task("packing", f"--networks conv {MODELS}", "conv", seconds=70),
        Task("packing", f"--networks mlp {MODELS}", "mlp", seconds=70),
        Task("published", seconds=45, resumable=True),
    ],
    "cpu": [  # these only show that every part runs
        Task("capture", "--families vae averaging", seconds=10),
        Task(
            "training",
            f"--families vae --contestants ours --processes 1 --packs 1 {SMALL}",
            "vae",
            seconds=20,
        ),
        Task("packing", f"--networks mlp --candidates stacked --models 1 {SMALL}", "mlp", seconds=20),
        Task("published", "--epochs 2 --epoch-steps 4 --images 130", seconds=10, resumable=True),
    ],
}


def result(task: Task, described: Mapping[str, Any], out: Path | None) -> dict[str, Any] | None:
    """The newest complete result of ``task`` with the same machine, code and settings, and its "file"."""
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
    """(task, its outcome in a line, its seconds) of each task."""
    deadline = time.perf_counter() + 60 * minutes
    for task in tasks:
        start = time.perf_counter()
        left = deadline - start
        if found := result(task, described, out):
            yield task, f"{state(found)} before: {found['file']}", 0.0
            continue
        if left < task.seconds:
            yield task, f"skipped: needs about {task.seconds:.0f} s, {max(left, 0):.0f} s are left", 0.0
            continue
        options = [*task.options.split(), "--device", described["kind"]]
        options += ["--out", str(out)] if out else []
        options += ["--minutes", f"{left / 60:.3f}"] if task.resumable else []
        command.log(f"benchmarks.{task.part} {' '.join(options)}")
        try:
            path: Path = COMMANDS[task.part].main(options)
        except Exception as error:  # the other tasks still run
            traceback.print_exc()
            yield task, f"FAILED: {type(error).__name__}", time.perf_counter() - start
            continue
        yield task, f"{state(json.loads(path.read_text()))}: {path}", time.perf_counter() - start


def state(content: Mapping[str, Any]) -> str:
    """The state of a task according to its result."""
    if content.get("failed"):
        return f"FAILED ({content['failed']} in it)"
    return "done" if content.get("complete", True) else "not complete"


def without_pythae(task: Task) -> Task:
    """The task without the contestant pythae, unless its options name the contestants."""
    others = [name for name in training.CONTESTANTS if name != "pythae"]
    if task.part != "training" or "--contestants" in task.options:
        return task
    return replace(task, options=f"{task.options} --contestants {' '.join(others)}")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = command.parser("gpu", __doc__, "device")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--minutes", type=float, default=8.0, help="time for all parts together")
    parser.add_argument("--out", type=Path, help="folder of results and of saved trainings, not benchmarks/")
    settings = parser.parse_args(arguments)
    if settings.device == "cpu" and settings.out is None:
        parser.error("without a GPU this only shows that every part runs, at tiny sizes: give --out FOLDER")
    return settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts and print the outcome of each; the number of tasks that failed."""
    settings = parse(arguments)
    described = machine.describe(settings.device)
    print(machine.heading(described))
    tasks = [task for part in settings.parts for task in TASKS[settings.device] if task.part == part]
    with wheelhouse.unpacked():
        pythae = "benchmarks.contestants.pythae"
        if "training" in settings.parts and (error := wheelhouse.import_error(pythae)):
            print(f"pythae is left out: {error} (make gpu-wheels)")
            tasks = [without_pythae(task) for task in tasks]
        outcomes = list(carry_out(tasks, described, settings.out, settings.minutes))
    lines = [[task.name, outcome, f"{seconds:.0f}"] for task, outcome, seconds in outcomes]
    print("\n" + table(["task", "", "seconds"], lines, left=2))
    if any(outcome.startswith(("skipped", "not complete")) for _, outcome, _ in outcomes):
        print("to go on, run the same command with the same folder of results")
    return sum(outcome.startswith("FAILED") for _, outcome, _ in outcomes)


if __name__ == "__main__":
    sys.exit(main())

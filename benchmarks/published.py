"""Does training reach published numbers? ``python -m benchmarks.published``

The numbers are those that disentangling-vae logged (``benchmarks.disentangling_vae``). Trains with its
settings on the full redrawn dSprites, 737,280 images; only the order of images differs: rows are drawn
uniformly, and an epoch is 11,520 steps. Prints each epoch's mean distortion and rate beside the logged ones,
and a verdict with its tolerance.

On a GPU all trainings run side by side (``vaecore.lockstep``), on a CPU one after the other. Each training is
saved every 20 seconds, or every 576 steps if these take longer, in benchmarks/scratch/ or in the folder of
--out. The file's name has a digest of the settings and the code. To resume, run the same command again, also
with more epochs. ``--epochs 2`` is the check for a CPU: it reaches the verdict on the second epoch.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

from benchmarks import command, machine, sprites, study_model
from benchmarks.disentangling_vae import (
    BATCH_SIZE,
    EPOCH,
    FEW,
    LATENTS,
    LIKELIHOOD,
    LOGGED,
    SPREAD,
    Verdict,
    build,
    compare,
)
from benchmarks.table import table
from pipeline.store.files import atomic
from vaecore.batch import Sampler
from vaecore.images import Images
from vaecore.lockstep import advance
from vaecore.precision import resolve_precision
from vaecore.training import Settings, Training

__all__ = ["main", "parse"]

EVERY = 576
"""Steps of a row, between two looks at the clock; fewer if they do not divide an epoch."""
SAVE_AFTER = 20.0
"""Seconds between two saves."""
NETWORK, INITIALIZATION = "burgess", "kaiming"
TOLERANCE = f"""\
allowed: 3 s √(1 + 1/n) for n seeds of ours and one of theirs. s is the standard deviation over our seeds;
with fewer than {FEW} seeds s is assumed to be {SPREAD:.1%} of the figure, for the reasons in
benchmarks/disentangling_vae.py. If a figure differs by more, run more --seeds first."""


@dataclass
class Run:
    """One training, its rows, and the file in which it is saved."""

    name: str
    seed: int
    training: Training
    file: Path
    rows: list[tuple[float, float]]
    """Distortion and rate of every row, nats."""
    rows_per_epoch: int
    failed: str = ""
    """Why the training failed, for example because it diverged; empty if it did not."""

    @property
    def epochs(self) -> list[tuple[float, float]]:
        """Mean distortion and rate of every whole epoch, nats."""
        per = self.rows_per_epoch
        whole = [self.rows[at : at + per] for at in range(0, len(self.rows) // per * per, per)]
        return [(mean(D for D, _ in rows), mean(R for _, R in rows)) for rows in whole]

    def save(self) -> None:
        if self.failed:  # the state is not that of a row; the earlier save stays
            return
        with atomic(self.file) as temporary:
            torch.save({"training": self.training.state_dict(), "rows": self.rows}, temporary)


def open_run(name: str, seed: int, data: Sampler, settings: argparse.Namespace, folder: Path) -> Run:
    """The training at its saved state, or at its start if it was not saved."""
    logged = LOGGED[name]
    family = build(name, data, seed, network=NETWORK, initialization=INITIALIZATION)
    precision = resolve_precision(settings.precision, settings.device, family)
    every = math.gcd(EVERY, settings.epoch_steps)
    whole = [logged.family, logged.hyper, logged.learning_rate, seed, len(data), every]
    whole += [LATENTS, NETWORK, INITIALIZATION, LIKELIHOOD, BATCH_SIZE]
    whole += [settings.device, precision, torch.__version__, machine.engine()]
    file = folder / f"published-{name}-{seed}-{command.digest(whole)}.pt"
    saved: dict[str, Any] | None = None
    if file.exists():
        saved = torch.load(file, map_location=settings.device, weights_only=True)
    course = Settings(
        steps=max(goal(settings), saved["training"]["step"] if saved else 0),
        batch_size=BATCH_SIZE,
        learning_rate=logged.learning_rate,
        precision=precision,
        record_every=every,
    )
    training = Training(family, data, course, logged.hyper, seed=seed, device=settings.device)
    if saved:
        training.load_state_dict(saved["training"])
    rows = [tuple(row) for row in saved["rows"]] if saved else []
    return Run(name, seed, training, file, rows, settings.epoch_steps // every)


def goal(settings: argparse.Namespace) -> int:
    """The total number of steps."""
    steps: int = settings.epochs * settings.epoch_steps
    return steps


def go_on(runs: Sequence[Run], settings: argparse.Namespace, deadline: float) -> float:
    """Train ``runs`` to the requested epochs, or until the time is too short for a row; the seconds."""
    start = saved_at = now = time.perf_counter()
    turn = 0.0
    while live := [run for run in runs if run.training.step < goal(settings) and not run.failed]:
        if settings.device == "cpu":
            live = live[:1]
        if now + 1.5 * turn > deadline:
            break
        for run, outcome in zip(live, advance([run.training for run in live]), strict=True):
            if isinstance(outcome, Exception):
                run.failed = command.reason(outcome)
                print(f"{run.name}, seed {run.seed}: FAILED, {run.failed}", flush=True)
                continue
            step, row = outcome
            run.rows.append((row["distortion"], row["rate"]))
            if step % settings.epoch_steps == 0:
                log_epoch(run)
        turn = time.perf_counter() - now
        now += turn
        if now - saved_at > SAVE_AFTER:
            for run in runs:
                run.save()
            saved_at = now = time.perf_counter()
    for run in runs:
        run.save()
    return time.perf_counter() - start


def log_epoch(run: Run) -> None:
    """Print the last epoch's numbers beside the logged ones."""
    epoch = len(run.epochs) - 1
    logged = LOGGED[run.name].epochs.get(epoch)
    beside = f", logged {_pair(logged)}" if logged else ""
    command.log(f"{run.name}, seed {run.seed}, epoch {epoch}: {_pair(run.epochs[-1])}{beside}")


def epochs_table(epochs: Mapping[str, Sequence[Sequence[tuple[float, float]]]]) -> str:
    """A row per epoch with distortion/rate of ours (mean ± standard deviation over seeds) and of theirs."""
    head = ["epoch"]
    for name in epochs:
        head += [name, "logged"]
    longest = max((len(each) for seeds in epochs.values() for each in seeds), default=0)
    lines = []
    for epoch in range(longest):
        cells = [str(epoch)]
        for name, seeds in epochs.items():
            logged = LOGGED[name].epochs.get(epoch)
            reached = [each[epoch] for each in seeds if len(each) > epoch]
            cells += [_over_seeds(reached), _pair(logged) if logged else ""]
        lines.append(cells)
    return table(head, lines)


def verdict_table(verdicts: Sequence[Verdict]) -> str:
    """A row per figure: ours, theirs, the difference, the largest one that seeds explain, and the verdict."""
    head = ["figure", "ours", "over seeds", "logged", "difference", "allowed", ""]
    lines = [
        [
            f"{each.name} epoch {each.epoch} {each.term}",
            f"{each.ours:.2f}",
            "" if each.spread is None else f"± {each.spread:.2f}",
            f"{each.theirs:.2f}",
            f"{each.ours - each.theirs:+.2f}",
            f"{each.allowed:.2f}",
            "agrees" if each.agrees else "DIFFERS",
        ]
        for each in verdicts
    ]
    return table(head, lines)


def _pair(pair: tuple[float, float]) -> str:
    return f"{pair[0]:.2f}/{pair[1]:.2f}"


def _over_seeds(pairs: Sequence[tuple[float, float]]) -> str:
    columns = list(zip(*pairs, strict=True))
    if len(pairs) < 2:
        return _pair(pairs[0]) if pairs else ""
    return "/".join(f"{mean(column):.2f}±{stdev(column):.2f}" for column in columns)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = command.parser("published", __doc__, "images", "precision", "device", images=sprites.TOTAL)
    parser.add_argument("--families", nargs="+", choices=list(LOGGED), default=list(LOGGED), metavar="FAMILY")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds; 3 or more show their spread")
    parser.add_argument(
        "--epoch-steps", type=int, default=EPOCH, help="another number gives no verdict, as do fewer images"
    )
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop in time, and resume later")
    parser.add_argument("--out", type=Path, help="folder of the JSON file and of saved trainings")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> Path:
    """Train, print, write; the JSON file's path."""
    settings = parse(arguments)
    deadline = time.perf_counter() + 60 * settings.minutes
    described = machine.describe(settings.device)
    path = machine.result_path("published", described, ".json", settings.out)
    folder = settings.out or command.SCRATCH
    folder.mkdir(parents=True, exist_ok=True)
    images = Images(torch.from_numpy(sprites.draw(settings.images)), study_model.IMAGE_SHAPE)
    data = Sampler(images).to(settings.device)  # one copy for all trainings
    runs = [
        open_run(name, seed, data, settings, folder)
        for name in settings.families
        for seed in range(settings.seeds)
    ]
    for run in runs:
        if run.rows:
            print(f"{run.name}, seed {run.seed}: resumed at step {run.training.step} ({run.file})")
    before = sum(run.training.step for run in runs)
    seconds = go_on(runs, settings, deadline)
    images_per_second = (sum(run.training.step for run in runs) - before) * BATCH_SIZE / seconds
    epochs = {
        name: [run.epochs[: settings.epochs] for run in runs if run.name == name]
        for name in settings.families
    }
    comparable = (settings.images, settings.epoch_steps) == (sprites.TOTAL, EPOCH)
    verdicts = [each for name, seeds in epochs.items() for each in compare(name, seeds) if comparable]
    failed = sum(bool(run.failed) for run in runs)
    complete = all(run.training.step >= goal(settings) for run in runs) and not failed
    print(f"distortion/rate in nats, means over epochs, {described['device']}\n{epochs_table(epochs)}")
    if verdicts:
        print(f"{verdict_table(verdicts)}\n{TOLERANCE}")
    print(f"{images_per_second:,.0f} images/s over all trainings, {seconds:,.0f} s")
    if not complete and not failed:
        reached = ", ".join(f"{run.name} {run.training.step}" for run in runs)
        print(f"stopped at steps {reached} of {goal(settings)}; to resume, run the same command again")
    content = {
        "benchmark": "published",
        "machine": described,
        "settings": {key: value for key, value in vars(settings).items() if key not in ("out", "minutes")},
        "complete": complete,
        "failed": failed,
        "precision": {run.name: run.training.precision for run in runs},
        "images_per_second": images_per_second,
        "epochs": epochs,
        "logged": {name: LOGGED[name].epochs for name in settings.families},
        "verdicts": [asdict(each) | {"agrees": each.agrees} for each in verdicts],
    }
    command.write(path, content)
    print(f"written: {path}")
    return path


if __name__ == "__main__":
    main()

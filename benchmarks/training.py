"""Training speed beside peers: ``python -m benchmarks.training``.

Images per second of the study's model (``benchmarks.study_model``) on dSprites, for ours, pythae, and a plain
PyTorch script (``benchmarks.contestants``), in the layouts that suit the machine:

    CPU     one process with a thread per core; a process of one thread per core, as Ray runs one-CPU trials
    GPU     one process; 2 and 4 processes that share the GPU

Ours is also packed: 2, 4, 8, ... models in each process, until a doubling gains less than 5 %. In the first
family's table a peer has a row with 0 and a row with 2 DataLoader workers, in one process; the other families
have the better number. All rows are measured in turns in the same run (``benchmarks.measure``).

    rate          Σ over processes of images / seconds; the median over the rounds [lowest-highest]
    × pythae      ratio of medians to the best of pythae's rows; "(1)" to its row of one process
    matrix        operations per second of the model's layers (``benchmarks.flops``), as a share of the rate
                  of large matrix products in the same precision and layout
    study model   time of 300,000 steps of 64 images, divided by the number of models that train side by side
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import command, machine, sprites, study_model, training_report
from benchmarks.contestants import Layout, Spec
from benchmarks.measure import Entry, Groups, rounds

__all__ = ["CONTESTANTS", "grow", "layouts", "main", "measure_family", "parse"]

RISE = 1.05
"""The least gain of a doubled pack for which the next doubling is tried."""
CONTESTANTS = ("ours", "pythae", "plain", "matrix")
SETTINGS: dict[str, dict[str, Any]] = {
    "cpu": {"seconds": 4.0, "rounds": 4, "packs": [1, 2, 4, 8], "chunk": 5, "images": 20_000},
    "cuda": {"seconds": 1.0, "rounds": 3, "packs": [1, 2, 4, 8, 16, 32], "chunk": 250, "images": 20_000},
}
QUICK = {"seconds": 0.5, "rounds": 2, "packs": [1, 2], "images": 2_000, "families": ["vae"]}
PEERS_CHUNK = {"cpu": 5, "cuda": 50}
MATRIX_CHUNK = {"cpu": 1, "cuda": 20}


def layouts(device: str, cores: int) -> list[Layout]:
    """The layouts of a contestant on this machine, one process first."""
    if device == "cuda":
        return [Layout(n, max(1, cores // n)) for n in (1, 2, 4)]
    many = min(cores, 16)
    return [Layout(1, cores), *([Layout(many, cores // many)] if many > 1 else [])]


def measure_family(
    family: str, settings: argparse.Namespace, folder: Path, loaders: dict[tuple[str, str], int]
) -> list[Entry]:
    """All contestants' entries, measured.

    ``loaders`` is the best number of DataLoader workers by (contestant, precision); the first family fills it
    in.
    """
    device, packs = settings.device, settings.packs
    spread = settings.layouts
    some = [spread[0], *({spread[-1]} - {spread[0]})]  # for peers: one process, and the largest number
    chunk = min(PEERS_CHUNK[device], settings.chunk)
    base = Spec(contestant="", family=family, device=device, precision="float32", chunk=chunk)
    peers = [("pythae", "float32"), ("plain", "float32"), ("plain", "bfloat16")]
    peers = [peer for peer in peers if peer[0] in settings.contestants]
    entries: list[Entry] = []
    if "matrix" in settings.contestants:
        for layout in some if device == "cpu" else spread[:1]:
            for precision in ("float32", "bfloat16"):
                spec = replace(base, contestant="matrix", precision=precision, chunk=MATRIX_CHUNK[device])
                entries.append(Entry(spec, layout, share_of_window=0.25))
    for contestant, precision in peers:
        for layout in some:
            alone = layout.processes == 1
            known = loaders.get((contestant, precision), None if alone else 0)
            for workers in [0, 2] if known is None else [known if alone else 0]:
                spec = replace(base, contestant=contestant, precision=precision, loaders=workers)
                entries.append(Entry(spec, layout))
    with Groups(device, folder) as groups:
        ahead = [entry.layout for entry in entries]
        if "ours" in settings.contestants:
            for layout in spread:
                single = device == "cuda" and layout.processes == 1
                ahead += [layout] * (len(packs) if single else min(2, len(packs)))
        command.log(f"{family}: starting {sum(layout.processes for layout in ahead)} processes")
        groups.start(ahead)
        command.log("warming up")
        for entry in entries:
            entry.prepare(groups.take(entry.layout))
        if "ours" in settings.contestants:
            ours = replace(base, contestant="ours", precision=settings.precision, chunk=settings.chunk)
            best = 1
            for layout in spread:
                tried = packs
                if device == "cuda" and layout.processes > 1:
                    tried = sorted({packs[0], max(packs[0], best // layout.processes)})
                grown = grow(ours, layout, tried, groups, settings.seconds / 2)
                best = max([entry.spec.pack for entry in grown if not entry.failed], default=best)
                entries += grown
        groups.close_unused()
        command.log(f"measuring {len(entries)} rows")
        rounds(entries, settings.rounds, settings.seconds)
        for entry in entries:
            entry.finish()
    if not loaders:
        loaders.update(_better_loaders(entries, peers))
    return entries


def _better_loaders(entries: Sequence[Entry], peers: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """(contestant, precision) -> the number of DataLoader workers of its fastest entry of one process."""
    chosen = {}
    for contestant, precision in peers:
        rivals = [
            entry
            for entry in entries
            if (entry.spec.contestant, entry.spec.precision) == (contestant, precision)
            and entry.layout.processes == 1
        ]
        if rivals:
            chosen[contestant, precision] = max(rivals, key=lambda entry: entry.rate or 0.0).spec.loaders
    return chosen


def grow(spec: Spec, layout: Layout, packs: Sequence[int], groups: Groups, seconds: float) -> list[Entry]:
    """Entries of growing packs; the last one gains too little or does not fit."""
    grown: list[Entry] = []
    best = 0.0
    for pack in packs:
        entry = Entry(replace(spec, pack=pack), layout)
        grown.append(entry)
        entry.prepare(groups.take(layout))
        rate = entry.measure(seconds)
        if rate is None or rate < RISE * best:
            break
        best = rate
    return grown


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    options = ("device", "families", "seconds", "rounds", "chunk", "images", "precision", "out")
    parser = command.parser("training", __doc__, *options, families=None, images=None)
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--packs", type=int, nargs="+", help="models side by side in a process, rising")
    parser.add_argument("--processes", type=int, nargs="+", help="processes side by side, rising")
    parser.add_argument(
        "--quick", action="store_true", help="one family, briefly: shows that the command runs, not its speed"
    )
    settings = parser.parse_args(arguments)
    presets = SETTINGS[settings.device] | (QUICK if settings.quick else {})
    for name, value in ({"families": list(study_model.FAMILIES)} | presets).items():
        if getattr(settings, name) is None:
            setattr(settings, name, value)
    cores = machine.cores()
    settings.layouts = (
        [Layout(n, max(1, cores // n)) for n in settings.processes]
        if settings.processes
        else layouts(settings.device, cores)
    )
    return settings


def main(arguments: Sequence[str] | None = None) -> Path:
    """Measure, print, write; the JSON file's path."""
    settings = parse(arguments)
    notes = []
    if "pythae" in settings.contestants and importlib.util.find_spec("pythae") is None:
        settings.contestants.remove("pythae")
        notes.append("pythae is not installed, so its rows are left out (pip install pythae).")
    described = machine.describe(settings.device)
    name = "training"
    if settings.quick:
        name += "-quick"
    elif set(settings.families) != set(study_model.FAMILIES):
        name += "-" + "-".join(settings.families)
    path = machine.result_path(name, described, ".json", settings.out)
    print(training_report.heading(described, settings), flush=True)
    for note in notes:
        print(note, flush=True)
    results: dict[str, list[dict[str, Any]]] = {}
    loaders: dict[tuple[str, str], int] = {}
    with tempfile.TemporaryDirectory() as folder:
        sprites.write(settings.images, Path(folder))
        for family in settings.families:
            entries = measure_family(family, settings, Path(folder), loaders)
            results[family] = training_report.rows(family, entries, settings.device)
            print(f"\n{family}\n{training_report.family_table(results[family], settings.device)}", flush=True)
            # after each family, so that an interrupted run keeps its results
            command.write(path, training_report.content(described, settings, notes, results))
    print(f"\n{training_report.NOTES}\n\nwritten: {path}")
    return path


if __name__ == "__main__":
    main()

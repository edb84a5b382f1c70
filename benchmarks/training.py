"""Training speed beside peers: ``python -m benchmarks.training``.

Images per second of the study's model (``benchmarks.study_model``) on dSprites, for ours, pythae, and a plain PyTorch script
(``benchmarks.contestants``), spread over the machine in the ways that make sense there:

    CPU     one process with all cores' threads; a process per core with one thread each (what Ray runs where a trial asks for one CPU)
    GPU     one process; 2 and 4 processes that share the card

Ours is also packed: 2, 4, 8, ... models in each process, until the sum stops rising by 5 % a doubling. The first
family's rows of a peer's one process show its DataLoader with 0 and with 2 workers, the other families' the better of these. All are
measured in turns in the same run (``benchmarks.measure``).

    rate          Σ over processes of images / seconds; the median over the rounds [lowest-highest]
    × pythae      ratio of medians to the best of pythae's rows; "1 process" to pythae as its users run it
    matrix        operations that the model's layers need (``benchmarks.flops``) per second / rate of large matrix products of the same
                  precision in the same layout
    study model   seconds for 300,000 steps of 64, amortised over all that train at the same time
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from benchmarks import machine, report, sprites, study_model
from benchmarks.contestants import Layout, Spec
from benchmarks.measure import Entry, rounds
from benchmarks.staff import Staff

__all__ = ["grow", "layouts", "main", "measure_family"]

RISE = 1.05
"""What a doubling of the pack must gain for the next one to be tried."""
CONTESTANTS = ("ours", "pythae", "plain", "matrix")
SETTINGS: dict[str, dict[str, Any]] = {
    "cpu": {"seconds": 4.0, "rounds": 4, "packs": [1, 2, 4, 8], "chunk": 5, "images": 20_000},
    "cuda": {"seconds": 1.0, "rounds": 3, "packs": [1, 2, 4, 8, 16, 32], "chunk": 250, "images": 20_000},
}
QUICK = {"seconds": 0.5, "rounds": 2, "packs": [1, 2], "images": 2_000, "families": ["vae"]}
PEERS_CHUNK = {"cpu": 5, "cuda": 50}
MATRIX_CHUNK = {"cpu": 1, "cuda": 20}


def layouts(device: str, cores: int) -> list[Layout]:
    """The ways to spread a contestant over the machine, one process first."""
    if device == "cuda":
        return [Layout(n, max(1, cores // n)) for n in (1, 2, 4)]
    many = min(cores, 16)
    return [Layout(1, cores), *([Layout(many, cores // many)] if many > 1 else [])]


def measure_family(
    family: str, settings: argparse.Namespace, folder: Path, loaders: dict[tuple[str, str], int]
) -> list[Entry]:
    """All contestants' entries, measured. ``loaders`` takes the better number of DataLoader workers from the first family to the next."""
    device, packs = settings.device, settings.packs
    spread = settings.layouts
    some = [spread[0], *({spread[-1]} - {spread[0]})]  # for peers: one process, and the most
    chunk = min(PEERS_CHUNK[device], settings.chunk)
    base = Spec(contestant="", family=family, device=device, precision="float32", chunk=chunk)
    peers = [("pythae", "float32"), ("plain", "float32"), ("plain", "bfloat16")]
    peers = [peer for peer in peers if peer[0] in settings.contestants]
    staff = Staff(device, folder)
    entries: list[Entry] = []
    try:
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
        ahead = [entry.layout for entry in entries]
        if "ours" in settings.contestants:
            for layout in spread:
                single = device == "cuda" and layout.processes == 1
                ahead += [layout] * (len(packs) if single else min(2, len(packs)))
        say(f"{family}: starting {sum(layout.processes for layout in ahead)} processes")
        staff.start(ahead)
        say("warming up")
        for entry in entries:
            entry.prepare(staff.take(entry.layout))
        if "ours" in settings.contestants:
            ours = replace(base, contestant="ours", precision=settings.precision, chunk=settings.chunk)
            best = 1
            for layout in spread:
                tried = packs
                if device == "cuda" and layout.processes > 1:
                    tried = sorted({packs[0], max(packs[0], best // layout.processes)})
                grown = grow(ours, layout, tried, staff, settings.seconds / 2)
                best = max([entry.spec.pack for entry in grown if not entry.failed], default=best)
                entries += grown
        staff.dismiss()
        say(f"measuring {len(entries)} rows")
        rounds(entries, settings.rounds, settings.seconds)
        for entry in entries:
            entry.finish()
        if not loaders:
            loaders.update(_better_loaders(entries, peers))
    finally:
        staff.dismiss()
        for entry in entries:
            entry.drop()
    return entries


def say(what: str) -> None:
    print(f"{datetime.now():%H:%M:%S} {what}", file=sys.stderr, flush=True)


def _better_loaders(entries: Sequence[Entry], peers: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Of each peer's entries of one process, the DataLoader workers of the fastest."""
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


def grow(spec: Spec, layout: Layout, packs: Sequence[int], staff: Staff, seconds: float) -> list[Entry]:
    """Entries of growing packs, up to the first that gains too little or does not fit."""
    grown: list[Entry] = []
    best = 0.0
    for pack in packs:
        entry = Entry(replace(spec, pack=pack), layout)
        grown.append(entry)
        entry.prepare(staff.take(layout))
        rate = entry.measure(seconds)
        if rate is None or rate < RISE * best:
            break
        best = rate
    return grown


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__.split("\n")[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], help="cuda where there is one")
    parser.add_argument("--families", nargs="+", choices=list(study_model.FAMILIES), metavar="FAMILY")
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--seconds", type=float, help="of one measurement")
    parser.add_argument("--rounds", type=int, help="measurements of each contestant")
    parser.add_argument("--packs", type=int, nargs="+", help="models side by side in a process, rising")
    parser.add_argument("--processes", type=int, nargs="+", help="processes side by side, rising")
    parser.add_argument("--chunk", type=int, help="steps between two looks at the clock; ours records a row")
    parser.add_argument("--images", type=int, help="of dSprites, evenly spaced")
    parser.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto", help="ours")
    parser.add_argument("--out", type=Path, help="folder of the JSON file, instead of benchmarks/results")
    parser.add_argument(
        "--quick", action="store_true", help="one family, briefly: does it run? No figures to keep"
    )
    settings = parser.parse_args(arguments)
    settings.device = settings.device or ("cuda" if torch.cuda.is_available() else "cpu")
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
        notes.append("pythae is not installed (pip install pythae), so nothing is compared with it.")
    described = machine.describe(settings.device)
    name = "training"
    if settings.quick:
        name += "-quick"
    elif set(settings.families) != set(study_model.FAMILIES):
        name += "-" + "-".join(settings.families)
    path = machine.result_path(name, described, ".json", settings.out)
    print(report.heading(described, settings), flush=True)
    for note in notes:
        print(note, flush=True)
    results: dict[str, list[dict[str, Any]]] = {}
    loaders: dict[tuple[str, str], int] = {}
    with tempfile.TemporaryDirectory() as folder:
        sprites.write(settings.images, Path(folder))
        for family in settings.families:
            entries = measure_family(family, settings, Path(folder), loaders)
            results[family] = report.rows(family, entries, settings.device)
            print(f"\n{family}\n{report.family_table(results[family], settings.device)}", flush=True)
            report.write(path, described, settings, notes, results)  # after each: a run cut short keeps these
    print(f"\n{report.NOTES}\n\nwritten: {path}")
    return path


if __name__ == "__main__":
    main()

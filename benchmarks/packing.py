"""Candidates for packing: ``python -m benchmarks.packing``. How should n models of one shape share a device?

    turns       what ships: ``vaecore.packing.advance`` in one process (on a GPU captured steps on a stream each, on a CPU one after the other)
    stacked     weights stacked, one step vectorised over the models (``benchmarks.contestants.stacked``), in one process
    processes   n processes that each train one, with an n-th of the cores as threads

Images per second summed over the models, for n = 1, 2, 4, 8: the convolutional network at 64×64, where arithmetic counts, and a small dense
one at 8×8, where overhead does. Measured in turns, medians over the rounds (``benchmarks.measure``).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from benchmarks import machine, sprites, study_model
from benchmarks.contestants import Layout, Spec
from benchmarks.measure import Entry, rounds
from benchmarks.staff import Staff
from benchmarks.table import table

__all__ = ["CANDIDATES", "main"]

CANDIDATES = {"turns": "ours", "stacked": "stacked", "processes": "ours"}
"""Candidate -> contestant."""
NETWORKS = {"conv": 64, "mlp": 8}
"""Network -> side of its images."""
CHUNKS = {("conv", "cpu"): 5, ("mlp", "cpu"): 50, ("conv", "cuda"): 200, ("mlp", "cuda"): 500}


def measure(
    network: str, family: str, settings: argparse.Namespace, folder: Path
) -> dict[tuple[str, int], Entry]:
    """Entries of all candidates, measured, by (candidate, n)."""
    cores = machine.cores()
    entries = {}
    for candidate in settings.candidates:
        for n in settings.models:
            apart = candidate == "processes"
            if apart and n == 1 and "turns" in settings.candidates:
                continue  # the same as turns
            spec = Spec(
                contestant=CANDIDATES[candidate],
                family=family,
                device=settings.device,
                precision=settings.precision,
                chunk=settings.chunk or CHUNKS[network, settings.device],
                pack=1 if apart else n,
                network=network,
                side=NETWORKS[network],
            )
            layout = Layout(n, max(1, cores // n)) if apart else Layout(1, cores)
            entries[candidate, n] = Entry(spec, layout)
    staff = Staff(settings.device, folder)
    try:
        staff.start([entry.layout for entry in entries.values()])
        for entry in entries.values():
            entry.prepare(staff.take(entry.layout))
        rounds(list(entries.values()), settings.rounds, settings.seconds)
        for entry in entries.values():
            entry.finish()
    finally:
        staff.dismiss()
        for entry in entries.values():
            entry.drop()
    return entries


def packing_table(entries: dict[tuple[str, int], Entry], models: Sequence[int]) -> str:
    """A row per candidate, a column per n: images/s, and times what ships with one model."""
    reference = entries.get(("turns", models[0]))
    alone = reference.rate if reference else None
    rows = []
    for candidate in dict.fromkeys(candidate for candidate, _ in entries):
        cells = [candidate]
        for n in models:
            entry = entries.get((candidate, n))
            if entry is None or entry.rate is None:
                cells.append("" if entry is None else entry.failed)
                continue
            spread = f"{entry.rate:,.0f} [{min(entry.rates):,.0f}-{max(entry.rates):,.0f}]"
            cells.append(spread + (f" {entry.rate / alone:.2f}×" if alone else ""))
        rows.append(cells)
    return table(["", *(f"{n} models" for n in models)], rows)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.packing", description=__doc__.split("\n")[0])
    families = list(study_model.FAMILIES)
    parser.add_argument("--families", nargs="+", choices=families, default=["vae"], metavar="FAMILY")
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--candidates", nargs="+", choices=list(CANDIDATES), default=list(CANDIDATES))
    parser.add_argument("--models", type=int, nargs="+", default=[1, 2, 4, 8], help="numbers of models")
    parser.add_argument("--seconds", type=float, default=3.0, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each candidate")
    parser.add_argument("--chunk", type=int, help="steps between two looks at the clock")
    parser.add_argument("--images", type=int, default=20_000, help="of dSprites, evenly spaced")
    parser.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto")
    parser.add_argument("--device", choices=["cpu", "cuda"], help="cuda where there is one")
    parser.add_argument("--out", type=Path, help="folder of the JSON file, instead of benchmarks/results")
    settings = parser.parse_args(arguments)
    settings.device = settings.device or ("cuda" if torch.cuda.is_available() else "cpu")
    return settings


def main(arguments: Sequence[str] | None = None) -> Path:
    """Measure, print, write; the JSON file's path."""
    settings = parse(arguments)
    described = machine.describe(settings.device)
    print(
        f"packing on {described['device']}, {described['cores']} cores, torch {described['torch']}; images/s"
    )
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sprites.write(settings.images, folder)
        for network in settings.networks:
            for family in settings.families:
                print(f"{datetime.now():%H:%M:%S} {network}, {family}", flush=True)
                entries = measure(network, family, settings, folder)
                print(packing_table(entries, settings.models), flush=True)
                results[f"{network} {family}"] = [
                    {
                        "candidate": candidate,
                        "models": n,
                        "processes": entry.layout.processes,
                        "threads": entry.layout.threads,
                        "precision": entry.precision,
                        "rate": entry.rate,
                        "rounds": entry.rates,
                        "failed": entry.failed or None,
                        **entry.memory,
                    }
                    for (candidate, n), entry in entries.items()
                ]
    name = "packing"
    if set(settings.networks) != set(NETWORKS):
        name += "-" + "-".join(settings.networks)
    path = machine.result_path(name, described, ".json", settings.out)
    options = {name: value for name, value in vars(settings).items() if name != "out"}
    content = {"benchmark": "packing", "machine": described, "settings": options, "results": results}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    print(f"written: {path}")
    return path


if __name__ == "__main__":
    main()

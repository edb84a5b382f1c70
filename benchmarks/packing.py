"""Candidates for packing: ``python -m benchmarks.packing``. How should n models of one shape share a device?

    turns       as in a study, ``vaecore.lockstep.advance`` in one process: on a GPU captured steps on a
                stream for each model, on a CPU one model after the other
    stacked     stacked weights and one step vectorised over the models, in one process
                (``benchmarks.contestants.stacked``)
    processes   n processes that train one model each, with 1/n of the cores as threads

Images per second summed over the models, for n = 1, 2, 4, 8: for the convolutional network at 64×64, where
arithmetic dominates, and for a small dense network at 8×8, where overhead dominates. The candidates are
measured in turns; results are medians over the rounds (``benchmarks.measure``).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import command, machine, sprites
from benchmarks.contestants import Layout, Spec
from benchmarks.measure import Entry, Groups, rounds
from benchmarks.table import table

__all__ = ["CANDIDATES", "main", "parse"]

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
    with Groups(settings.device, folder) as groups:
        groups.start([entry.layout for entry in entries.values()])
        for entry in entries.values():
            entry.prepare(groups.take(entry.layout))
        rounds(list(entries.values()), settings.rounds, settings.seconds)
        for entry in entries.values():
            entry.finish()
    return entries


def packing_table(entries: dict[tuple[str, int], Entry], models: Sequence[int]) -> str:
    """A row per candidate, a column per n: images/s, and the ratio to one model of the suite."""
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
    options = ("families", "seconds", "rounds", "chunk", "images", "precision", "device", "out")
    parser = command.parser("packing", __doc__, *options, families=["vae"], seconds=3.0, rounds=3)
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--candidates", nargs="+", choices=list(CANDIDATES), default=list(CANDIDATES))
    parser.add_argument("--models", type=int, nargs="+", default=[1, 2, 4, 8], help="numbers of models")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> Path:
    """Measure, print, write; the JSON file's path."""
    settings = parse(arguments)
    described = machine.describe(settings.device)
    print(f"packing, images/s: {machine.heading(described)}")
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sprites.write(settings.images, folder)
        for network in settings.networks:
            for family in settings.families:
                command.log(f"{network}, {family}")
                entries = measure(network, family, settings, folder)
                print(f"{network}, {family}\n{packing_table(entries, settings.models)}", flush=True)
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
    command.write(
        path, {"benchmark": "packing", "machine": described, "settings": options, "results": results}
    )
    print(f"written: {path}")
    return path


if __name__ == "__main__":
    main()

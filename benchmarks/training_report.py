"""The tables that ``benchmarks.training`` prints, and the content of its result file."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks import flops, machine, study_model
from benchmarks.measure import Entry
from benchmarks.table import table
from pipeline.study.wording import duration

__all__ = ["NOTES", "content", "family_table", "heading", "rows"]

NOTES = """\
A rate is the sum over all models that train at the same time. × pythae: ratio to the best of pythae's rows;
(1): to its row of one process.
pythae: the same layers, critic included, in float32, since its mixed precision is off for Bernoulli pixels.
Its FactorVAE trains on half of the images that it reads: it reads 128 per step, and 64 are counted.
plain: DataLoader, autograd, Adam.
memory: of one process, without DataLoader workers; a peer's process maps all images as float32."""


def rows(family: str, entries: Sequence[Entry], device: str) -> list[dict[str, Any]]:
    """One mapping per entry: spec and layout, the rate of every round, and ratios to other entries."""
    operations_per_image = {
        ours: flops.step(family, study_model.BATCH_SIZE, one_pass=ours) / study_model.BATCH_SIZE
        for ours in (True, False)
    }
    rates = {
        name: [e for e in entries if e.spec.contestant == name and e.rate] for name in ("pythae", "plain")
    }
    best = {name: max((e.rate or 0.0 for e in those), default=None) for name, those in rates.items()}
    alone = max((e.rate or 0.0 for e in rates["pythae"] if e.layout.processes == 1), default=None)
    matrix = {
        (e.spec.precision, e.layout.processes): e.rate for e in entries if e.spec.contestant == "matrix"
    }
    written = []
    for entry in entries:
        row: dict[str, Any] = {
            "contestant": entry.spec.contestant,
            "processes": entry.layout.processes,
            "threads": entry.layout.threads,
            "pack": entry.spec.pack,
            "loaders": entry.spec.loaders,
            "precision": entry.precision or entry.spec.precision,
            "failed": entry.failed or None,
            "rounds": entry.rates,
            "rate": entry.rate,
            **entry.memory,
        }
        if entry.rate and entry.spec.contestant != "matrix":
            # on a GPU the products are measured in one process only
            peak = matrix.get((row["precision"], entry.layout.processes)) or (
                matrix.get((row["precision"], 1)) if device == "cuda" else None
            )
            row |= {
                "steps_per_second": entry.rate / study_model.BATCH_SIZE,
                "times_pythae": _ratio(entry.rate, best["pythae"]),
                "times_pythae_alone": _ratio(entry.rate, alone),
                "times_plain": _ratio(entry.rate, best["plain"]),
                "share_of_matrix_rate": _ratio(
                    entry.rate * operations_per_image[entry.spec.contestant == "ours"], peak
                ),
                "study_model_seconds": study_model.STEPS * study_model.BATCH_SIZE / entry.rate,
            }
        written.append(row)
    return written


def family_table(rows: Sequence[Mapping[str, Any]], device: str) -> str:
    """The rows as a table, followed by a comparison of ours with the peers."""
    head = ["", "proc×thr", "pack", "rate", "[low-high]", "steps/s", "× pythae", "(1)", "× plain"]
    head += ["matrix", "memory", "study model"]
    lines = []
    for row in rows:
        name = f"{row['contestant']} {row['precision']}"
        if row["loaders"]:
            name += f", {row['loaders']} loaders"
        cells = [name, f"{row['processes']}×{row['threads']}", str(row["pack"])]
        if row["rate"] is None:
            lines.append([*cells, row["failed"] or "not measured", *[""] * 8])
            continue
        scale, digits = (1e9, 1) if row["contestant"] == "matrix" else (1, 0)
        low, high = min(row["rounds"]) / scale, max(row["rounds"]) / scale
        cells += [f"{row['rate'] / scale:,.{digits}f}", f"[{low:,.{digits}f}-{high:,.{digits}f}]"]
        if row["contestant"] == "matrix":
            cells += ["GFLOP/s", *[""] * 6]
        else:
            bytes_ = row.get("device_bytes") if device == "cuda" else row.get("host_bytes")
            cells += [
                f"{row['steps_per_second']:,.1f}",
                *(_times(row[key]) for key in ("times_pythae", "times_pythae_alone", "times_plain")),
                "" if row["share_of_matrix_rate"] is None else f"{row['share_of_matrix_rate']:.1%}",
                "" if not bytes_ else f"{bytes_ / 2**20:,.0f} MiB",
                duration(row["study_model_seconds"]),
            ]
        if row["failed"]:
            cells[-1] = row["failed"]
        lines.append(cells)
    text = table(head, lines)
    ours = [row for row in rows if row["contestant"] == "ours" and row["rate"]]
    if ours:
        solo = max(
            (r for r in ours if r["pack"] == r["processes"] == 1), key=lambda r: r["rate"], default=ours[0]
        )
        top = max(ours, key=lambda r: r["rate"])
        for what, row in (("alone", solo), ("at best", top)):
            text += (
                f"\nours {what} ({row['processes']}×{row['threads']}, pack {row['pack']}): "
                f"{row['rate']:,.0f} images/s, {_times(row['times_pythae'], '?')} pythae's best, "
                f"{_times(row['times_pythae_alone'], '?')} its one process, "
                f"{_times(row['times_plain'], '?')} plain's best, "
                f"a study model in {duration(row['study_model_seconds'])}"
            )
    return text


def heading(described: Mapping[str, Any], settings: argparse.Namespace) -> str:
    """The model, the machine and the number of measurements."""
    return (
        f"training speed: dSprites 64×64 ({settings.images:,} evenly spaced images for all), network conv, "
        f"{study_model.LATENTS} latents, batch {study_model.BATCH_SIZE}\n"
        f"{machine.heading(described)}; pythae {described['pythae'] or '-'}\n"
        f"medians of {settings.rounds} rounds of {settings.seconds:g} s, in turns"
    )


def content(
    described: Mapping[str, Any],
    settings: argparse.Namespace,
    notes: Sequence[str],
    results: Mapping[str, Any],
) -> dict[str, Any]:
    """The content of the result file."""
    plain = {name: value for name, value in vars(settings).items() if name not in ("out", "layouts")}
    return {
        "benchmark": "training",
        "machine": dict(described),
        "settings": plain | {"layouts": [asdict(layout) for layout in settings.layouts]},
        "model": {
            "batch_size": study_model.BATCH_SIZE,
            "latents": study_model.LATENTS,
            "image_shape": study_model.IMAGE_SHAPE,
            "learning_rate": study_model.LEARNING_RATE,
            "hyper": study_model.FAMILIES,
            "operations_per_step": {family: flops.step(family, study_model.BATCH_SIZE) for family in results},
        },
        "notes": [*notes, *NOTES.splitlines()],
        "families": dict(results),
    }


def _ratio(value: float, to: float | None) -> float | None:
    return value / to if to else None


def _times(ratio: float | None, missing: str = "") -> str:
    return missing if ratio is None else f"{ratio:.2f}×"

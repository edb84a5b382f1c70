"""A data set's card: example images, size, factors and classes, source, licence and citation.

It has two pictures:

samples    images drawn at random, the same ones each time
factors    for a full factor grid, a row per factor: this factor changes, the others keep their middle values;
           otherwise a row per class, or a row per factor or attribute with images from its lowest to its
           highest value
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from pipeline.data.arrays.dataset import About
from pipeline.data.arrays.grid import evenly_spaced, rows
from pipeline.store.contact_sheet import png, sheet
from pipeline.store.ready import Ready
from pipeline.study.folders import member, members
from pipeline.study.model import images_of

__all__ = ["CAPTIONS", "about", "facts", "files", "pictures"]

COLUMNS = 10
SAMPLE_ROWS = 2
ROWS = 10
"""The largest number of classes, factors or attributes that a picture shows."""
LISTED = 24
"""The largest number of names that are listed one by one."""
CAPTIONS = {
    "samples": "Images drawn at random.",
    "factors": (
        "Along a row one factor changes and the others stay fixed. Without a full factor grid, a row shows "
        "one class, or images sorted by one factor or attribute."
    ),
}
"""Picture -> its caption."""


def about(dataset: str) -> About | None:
    """The ABOUT of the data set's module; None if no module prepares it."""
    return (
        member("pipeline.data.datasets", dataset, key="datasets").ABOUT
        if dataset in members("pipeline.data.datasets")
        else None
    )


def facts(ready: Ready) -> list[tuple[str, str]]:
    """(name, value) of what the data set contains and where it comes from; unknown facts are left out."""
    meta = ready.meta
    channels, height, width = ready.shape
    size = math.prod(ready.images.shape)
    known = about(ready.name)
    found: list[tuple[str, Any]] = [
        ("description", meta.get("what")),
        ("images", f"{len(ready):,} of {height}×{width} pixels, {_colours(channels)}"),
        ("split", _split(meta)),
        ("stored", f"{size / 1e6:,.1f} MB, {_storage(meta)}"),
        ("factors", _factors(meta)),
        ("classes", _names(meta.get("label_names", ()))),
        ("attributes", _names(meta.get("attribute_names", ()))),
        (
            "noise in the images",
            f"σ = {meta['noise_sigma']:.4g} of their range" if "noise_sigma" in meta else None,
        ),
        ("source", " ".join(str(meta[key]) for key in ("source", "url") if meta.get(key))),
        ("licence", meta.get("licence")),
        ("citation", meta.get("citation")),
        (
            "official files",
            files(known) if known is not None and known.source == meta.get("source") else None,
        ),
        ("SHA-256 of the prepared arrays", meta["checksum"]),
    ]
    return [(what, str(value)) for what, value in found if value]


def files(known: About) -> str:
    """The official files with their checksums."""
    return "; ".join(f"{file.name} {file.checksum or '(no checksum is published)'}" for file in known.files)


def pictures(ready: Ready) -> dict[str, bytes]:
    """Name -> PNG: samples, and factors if the data set has factors, labels or attributes."""
    images = images_of(ready)
    generator = np.random.default_rng(0)
    chosen = generator.permutation(len(ready))[: COLUMNS * SAMPLE_ROWS]
    strips = {"samples": [chosen[start : start + COLUMNS] for start in range(0, len(chosen), COLUMNS)]}
    if by_factor := _factor_strips(ready, generator):
        strips["factors"] = by_factor
    return {
        name: png(sheet([images.batch(torch.from_numpy(np.asarray(strip))).numpy() for strip in own]))
        for name, own in strips.items()
    }


def _factor_strips(ready: Ready, generator: np.random.Generator) -> list[np.ndarray]:
    """The images of the picture "factors": row numbers, strip by strip."""
    if ready.meta.get("grid") and ready.factors is not None:
        return _grid_strips(ready.meta["factor_sizes"])
    if ready.labels is not None:
        classes = np.unique(ready.labels)
        shown = classes[evenly_spaced(len(classes), min(ROWS, len(classes)))]
        return [generator.permutation(np.flatnonzero(ready.labels == label))[:COLUMNS] for label in shown]
    table = ready.factors if ready.factors is not None else ready.attributes
    if table is None or len(table) < 2:
        return []
    strips = []
    for column in range(min(table.shape[1], ROWS)):
        # images of equal value come in a random order
        shuffled = generator.permutation(len(table))
        sorted_rows = shuffled[np.argsort(table[shuffled, column], kind="stable")]
        if len(np.unique(table[:, column])) == 2:  # half of the strip for each value
            low, high = (sorted_rows[: COLUMNS // 2], sorted_rows[-(COLUMNS // 2) :])
            strips.append(np.concatenate([low, high]))
        else:
            strips.append(sorted_rows[evenly_spaced(len(table), min(COLUMNS, len(table)))])
    return strips


def _grid_strips(sizes: list[int]) -> list[np.ndarray]:
    middle = np.array([size // 2 for size in sizes])
    strips = []
    for k, size in enumerate(sizes):
        if size > 1:
            values = evenly_spaced(size, min(COLUMNS, size))
            factors = np.repeat(middle[None], len(values), axis=0)
            factors[:, k] = values
            strips.append(rows(factors, sizes))
    return strips


def _colours(channels: int) -> str:
    return "grey" if channels == 1 else "red, green, blue"


def _split(meta: Mapping[str, Any]) -> str | None:
    parts = meta.get("parts", {})
    if not parts or parts["train"] == meta["n"]:
        return "all images are used for training" if parts else None
    return ", ".join(f"{part} {parts[part]:,}" for part in ("train", "validation", "test") if parts[part])


def _storage(meta: Mapping[str, Any]) -> str:
    channels = meta["shape"][0] > 1 and not meta.get("nuisance")
    how = "a bit per pixel" if meta["storage"] == "bits" else "a byte per pixel"
    how += " and channel" if channels else ""
    applied = {
        "colour": "colour is added",
        "noise": "noise is added",
        "background": "the background is added",
    }
    return f"{how}; {applied[meta['nuisance']]} when a batch is drawn" if meta.get("nuisance") else how


def _factors(meta: Mapping[str, Any]) -> str | None:
    names, sizes = meta.get("factor_names", ()), meta.get("factor_sizes", ())
    if not names:
        return None
    if len(names) > LISTED and len(set(sizes)) == 1:
        return f"{len(names)} of {sizes[0]} values each: {_names(names)}"
    listed = ", ".join(f"{name} ({size})" for name, size in zip(names, sizes, strict=True))
    return f"{listed}; every combination once" if meta.get("grid") else listed


def _names(names: Any) -> str | None:
    if len(names) > LISTED:
        return f"{', '.join(names[:LISTED])} and {len(names) - LISTED} more"
    return ", ".join(names) or None

"""Cards: the rows of their pictures, and the facts they state."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.data.arrays.grid import factor_table
from pipeline.reporting import cards
from pipeline.store.contact_sheet import GAP
from pipeline.store.layout import Store
from pipeline.store.ready import Ready

SIDE = 64


def ready(tmp_path: Path, n: int, meta: dict[str, Any] | None = None, **arrays: Any) -> Ready:
    """n images of 64×64 pixels, each of one grey value: its row."""
    store = Store(tmp_path)
    images = np.repeat(np.arange(n, dtype=np.uint8), SIDE * SIDE).reshape(n, 1, SIDE, SIDE)
    store.write_ready(
        "own", images=images, meta={"shape": [1, SIDE, SIDE], "storage": "uint8", **(meta or {})}, **arrays
    )
    return store.read_ready("own")


def shown(picture: bytes) -> list[list[int]]:
    """The rows of the data set that a picture shows, strip by strip."""
    with Image.open(io.BytesIO(picture)) as image:
        pixels = np.asarray(image)
    strips = []
    for top in range(GAP, pixels.shape[0], SIDE + GAP):
        line = pixels[top + SIDE // 2, GAP + SIDE // 2 :: SIDE + GAP]
        strips.append([int(value) for value in line if value != 255])
    return strips


def test_samples_are_the_same_each_time(tmp_path: Path):
    data = ready(tmp_path, 100)
    first = cards.pictures(data)
    assert first == cards.pictures(data)
    assert list(first) == ["samples"], "there is nothing to sort by"
    rows = [row for strip in shown(first["samples"]) for row in strip]
    assert len(set(rows)) == len(rows) == cards.COLUMNS * cards.SAMPLE_ROWS


def test_along_a_row_one_factor_changes_alone(tmp_path: Path):
    sizes = (3, 1, 5, 10)
    table = factor_table(sizes)
    meta = {"factor_names": ["a", "b", "c", "d"], "factor_sizes": list(sizes), "grid": True}
    strips = shown(cards.pictures(ready(tmp_path, 150, meta, factors=table))["factors"])
    assert len(strips) == 3, "a factor of one value has no row"
    for strip, k in zip(strips, (0, 2, 3), strict=True):
        seen = table[strip]
        assert seen[:, k].tolist() == list(range(sizes[k]))
        assert (np.delete(seen, k, axis=1) == np.delete(np.array(sizes) // 2, k)).all()


def test_without_a_grid_there_is_a_row_per_class_or_attribute(tmp_path: Path):
    labels = np.arange(60) % 3
    strips = shown(cards.pictures(ready(tmp_path / "labels", 60, labels=labels))["factors"])
    assert [set(labels[strip]) for strip in strips] == [{0}, {1}, {2}]

    binary = np.stack([np.arange(60) < 20, np.arange(60) % 2], axis=1).astype(np.int16)
    meta = {"factor_names": ["early", "odd"], "factor_sizes": [2, 2]}
    strips = shown(cards.pictures(ready(tmp_path / "binary", 60, meta, factors=binary))["factors"])
    for k, strip in enumerate(strips):
        assert binary[strip, k].tolist() == [0] * 5 + [1] * 5

    values = np.random.default_rng(0).normal(size=(60, 1)).astype(np.float32)
    (strip,) = shown(cards.pictures(ready(tmp_path / "values", 60, attributes=values))["factors"])
    along = values[strip, 0]
    assert (np.diff(along) > 0).all()
    assert (along[0], along[-1]) == (values.min(), values.max())


def test_facts_are_those_of_the_data(tmp_path: Path):
    meta = {
        "what": "Grey squares.", "licence": "CC0", "citation": "A. Author, 2026", "source": "https://example.org",
        "parts": {"train": 40, "validation": 0, "test": 20}, "noise_sigma": 0.04, "attribute_names": ["size"],
    }  # fmt: skip
    data = ready(tmp_path, 60, meta, attributes=np.zeros((60, 1), np.float32))
    facts = dict(cards.facts(data))
    assert facts["images"] == "60 of 64×64 pixels, grey"
    assert facts["split"] == "train 40, test 20"
    assert facts["stored"] == "0.2 MB, a byte per pixel"
    assert facts["noise in the images"] == "σ = 0.04 of their range"
    assert facts["attributes"] == "size"
    assert facts["SHA-256 of the prepared arrays"] == data.meta["checksum"]
    assert "factors" not in facts


@pytest.mark.parametrize(
    ("names", "sizes", "expected"),
    [
        (["a", "b"], [2, 3], "a (2), b (3)"),
        ([f"x{k}" for k in range(40)], [2] * 40, "40 of 2 values each: x0, x1"),
    ],
)
def test_many_factors_are_not_listed_one_by_one(
    tmp_path: Path, names: list[str], sizes: list[int], expected: str
):
    factors = np.zeros((4, len(names)), np.int16)
    facts = dict(
        cards.facts(ready(tmp_path, 4, {"factor_names": names, "factor_sizes": sizes}, factors=factors))
    )
    assert facts["factors"].startswith(expected)
    assert len(facts["factors"]) < 200

"""Stage ``preprocess@D``: turn the raw files of data set D into arrays in ``data/ready/D``.

    python -m pipeline.preprocess D

Images are processed in blocks, so that the required memory does not grow with the data set.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.data.arrays.dataset import CommonOptions, Prepared
from pipeline.data.arrays.holdout import combined, parts
from pipeline.errors import UserError, user_errors
from pipeline.store.layout import Store
from pipeline.study.folders import member
from pipeline.study.params import load

__all__ = ["main", "prepare"]

SPARE = 64 << 20
"""Bytes that must be free on the disk in addition to those of the images."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.preprocess", description="Turn a data set into arrays."
    )
    parser.add_argument("dataset", help="its name in params.yaml")
    name = parser.parse_args(arguments).dataset
    params, store = load(), Store(Path.cwd())
    params.require(name)
    started = time.monotonic()
    meta = prepare(name, params.dataset_options(name), store)
    counts = meta["parts"]
    words = {"test": "held out for the test", "validation": "for validation"}
    held_out = "".join(f", {counts[part]:,} {what}" for part, what in words.items() if counts[part])
    size = (store.ready(name) / "images.npy").stat().st_size
    print(
        f"preprocess: {name}: {meta['n']:,} images of {'×'.join(map(str, meta['shape']))}{held_out}, "
        f"{size / 1e6:,.1f} MB ({meta['storage']}), in {time.monotonic() - started:.1f} s"
    )


def prepare(name: str, options: CommonOptions, store: Store) -> dict[str, Any]:
    """Prepare a data set that has been fetched; returns its meta data.

    Raises:
        UserError: the raw files are invalid, the disk has no room, or a part would be empty. Nothing is kept
            then.
    """
    module = member("pipeline.data.datasets", name, key=f"datasets.{name}")
    prepared: Prepared = module.prepare(options, store.raw(name))
    split = split_of(prepared, options, f"params.yaml: datasets.{name}")
    folder = store.ready(name)
    folder.mkdir(parents=True, exist_ok=True)
    needed, free = int(np.prod(prepared.stored_shape)) + SPARE, shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{folder} needs {needed / 1e9:.1f} GB for {name}, and {free / 1e9:.1f} GB are free there. "
            "Make room, or reduce the data set (image_size, subset)."
        )
    counts = np.bincount(np.zeros(prepared.count, np.uint8) if split is None else split, minlength=3)
    chosen = {"test_fraction", "validation_fraction", "split_seed", "hold_out"}
    return store.write_ready(
        name,
        images=watched(prepared.blocks, prepared.count, name),
        shape=prepared.stored_shape,
        places=prepared.places,
        factors=prepared.factors,
        labels=prepared.labels,
        attributes=prepared.attributes,
        picture=prepared.picture,
        split=split,
        meta={
            **prepared.meta(module.ABOUT),
            **options.model_dump(include=chosen),
            "parts": dict(zip(("train", "validation", "test"), counts.tolist(), strict=True)),
        },
    )


def split_of(prepared: Prepared, options: CommonOptions, where: str) -> np.ndarray | None:
    """uint8 [N], the part of each image (``pipeline.data.arrays.holdout``); None if all are trained on.

    Raises:
        UserError: the options contradict each other or the data set.
    """
    test, key = prepared.official_test, "test_fraction"
    try:
        if options.hold_out:
            key = "hold_out"
            if prepared.factors is None:
                raise ValueError("this data set has no factors to combine; use test_fraction")
            if test is not None:
                raise ValueError(
                    "the official test part is used already; set split to drawn, or leave this out"
                )
            test = combined(prepared.factors, prepared.factor_names, prepared.factor_sizes, options.hold_out)
        elif options.validation_fraction:
            key = "validation_fraction"
        return parts(
            prepared.count,
            test_fraction=options.test_fraction,
            validation_fraction=options.validation_fraction,
            seed=options.split_seed,
            labels=prepared.labels,
            test=test,
            validation=prepared.official_validation,
        )
    except ValueError as error:
        raise UserError(f"{where}.{key}: {error}.") from None


def watched(blocks: Iterable[np.ndarray], count: int, name: str) -> Iterator[np.ndarray]:
    """The blocks; on a terminal, a bar shows how many of ``count`` images have passed."""
    console = Console(stderr=True)
    columns = (TextColumn(f"preparing {name}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=count)
        for block in blocks:
            yield block
            progress.advance(task, len(block))


if __name__ == "__main__":
    with user_errors("preprocess"):
        main()

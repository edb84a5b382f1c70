"""Stage ``preprocess@D``: the raw files of data set D as arrays, in ``data/ready/D``.

python -m pipeline.preprocess D
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import UserError, user_errors
from pipeline.fetch import of_the_study
from pipeline.folders import member
from pipeline.holdout import hold_out
from pipeline.params import load
from pipeline.store import Store

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.preprocess", description="Turn a data set into arrays."
    )
    parser.add_argument("dataset", help="its name in params.yaml")
    name = parser.parse_args(arguments).dataset
    params, store = load(), Store(Path.cwd())
    of_the_study(params, name)
    options = params.dataset_options(name)
    started = time.monotonic()
    prepared = member("pipeline.datasets", name, key="datasets").prepare(options, store.raw(name))
    try:
        test = hold_out(len(prepared.images), options.test_fraction, options.split_seed, prepared.labels)
    except ValueError as error:
        raise UserError(f"params.yaml: datasets.{name}.test_fraction: {error}.") from None
    store.write_ready(
        name,
        images=prepared.images,
        factors=prepared.factors,
        labels=prepared.labels,
        test=test,
        meta={
            **prepared.meta(),
            "test_fraction": options.test_fraction,
            "split_seed": options.split_seed,
        },
    )
    held_out = "" if test is None else f", {int(test.sum()):,} of them held out"
    print(
        f"preprocess: {name}: {len(prepared.images):,} images of {'×'.join(map(str, prepared.shape))}{held_out}, "
        f"{prepared.images.nbytes / 1e6:,.1f} MB ({prepared.storage}), in {time.monotonic() - started:.1f} s"
    )


if __name__ == "__main__":
    with user_errors("preprocess"):
        main()

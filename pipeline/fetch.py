"""Stage ``fetch@D``: bring what data set D is made from to ``data/raw/D``, its checksum verified.

    python -m pipeline.fetch D

What is complete already is left alone. A download that was interrupted goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import UserError, user_errors
from pipeline.folders import member
from pipeline.params import Params, load
from pipeline.store import Store

__all__ = ["main", "of_the_study"]


def of_the_study(params: Params, name: str) -> None:
    """Check that ``name`` is a data set of the study.

    Raises:
        UserError: there is no such data set, or the study does not use it.
    """
    if name not in params.datasets:
        member("pipeline.datasets", name, key="datasets")
        raise UserError(
            f"params.yaml: datasets: this study does not use {name!r}. It has: {', '.join(params.datasets)}. "
            f"Add a line `{name}: {{}}` there."
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.fetch", description="Bring a data set's raw files."
    )
    parser.add_argument("dataset", help="its name in params.yaml")
    name = parser.parse_args(arguments).dataset
    params = load()
    of_the_study(params, name)
    folder = Store(Path.cwd()).raw(name)
    before = _state(folder)
    member("pipeline.datasets", name, key="datasets").fetch(params.dataset_options(name), folder)
    files = _state(folder)
    size = sum(size for size, _ in files.values())
    print(
        f"fetch: {name}: {'complete already' if files == before else 'done'}: "
        f"{', '.join(sorted(files))}, {size / 1e6:.1f} MB"
    )


def _state(folder: Path) -> dict[str, tuple[int, int]]:
    """File name -> (size, time of change)."""
    if not folder.is_dir():
        return {}
    return {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.iterdir()}


if __name__ == "__main__":
    with user_errors("fetch"):
        main()

"""Stage ``fetch@D``: bring the raw files of data set D to ``data/raw/D`` and verify their checksums.

    python -m pipeline.fetch D

Files that are complete are left alone. An interrupted download resumes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import user_errors
from pipeline.store.layout import Store
from pipeline.study.folders import member
from pipeline.study.params import load

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.fetch", description="Bring a data set's raw files."
    )
    parser.add_argument("dataset", help="its name in params.yaml")
    name = parser.parse_args(arguments).dataset
    params = load()
    params.require(name)
    folder = Store(Path.cwd()).raw(name)
    before = _state(folder)
    member("pipeline.data.datasets", name, key="datasets").fetch(params.dataset_options(name), folder)
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

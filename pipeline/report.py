"""DVC stage ``report``: compare the trained models in an HTML page and tables (``pipeline.reporting``)."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.errors import user_errors
from pipeline.reporting.files import write
from pipeline.reporting.outcome import read
from pipeline.store.layout import Store
from pipeline.study.params import load

__all__ = ["main"]


def main() -> None:
    store = Store(Path.cwd())
    study = read(load(), store)
    write(study, store)
    counts = json.dumps({dataset: len(settings) for dataset, settings in study.settings.items()})
    print(
        f"report: {len(study.trials)} trials, settings {counts}: {store.reports / 'index.html'}", flush=True
    )


if __name__ == "__main__":
    with user_errors("report"):
        main()

"""docs/metrics is what the modules generate, and the table of punishments is what the metrics answer."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

import metrics
from metrics import cases, pages
from tests.metrics.expectations import expected

COSTLY = ("perfect", "rotated")
"""The columns to compare of a metric whose expectation has cheaper settings.

These are dci, fairness, sample_efficiency and strong_generalisation. All ten columns of the four take 50 s,
and agree to 1e-3."""
FOLDER = Path(metrics.__file__).parents[1] / "docs" / "metrics"


def kept() -> dict[str, dict[str, float]]:
    return pages.read_table((FOLDER / "punishes.csv").read_text())


def test_there_is_a_page_for_every_metric_and_no_other() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} - {"README"} == set(metrics.names()), "run: make docs"


@pytest.mark.parametrize("name", list(metrics.names()))
def test_a_page_is_what_the_module_says(name: str) -> None:
    text = pages.page(name)
    assert (FOLDER / f"{name}.md").read_text() == text, "run: make docs"
    about = metrics.describe(name)
    for part in (f"`{name}`", about.blind_to, about.cost, f"import {name}", "```text"):
        assert part in text
    assert re.search(r"(19|20)\d\d", text), "no paper"


def test_the_overview_is_made_of_the_table_that_is_kept() -> None:
    assert (FOLDER / "README.md").read_text() == pages.index(kept()), "run: make docs"


@pytest.mark.parametrize("name", pages.judged())
def test_the_table_is_what_the_metrics_answer(name: str) -> None:
    columns = COSTLY if expected(name).settings else pages.COLUMNS
    for key, row in pages.punishments([name], columns).items():
        for case, value in row.items():
            # Iterative fits and sampled points differ a little between processors.
            assert kept()[key][case] == pytest.approx(value, abs=0.02, rel=0.02, nan_ok=True), (key, case)


def test_marks_are_shares_of_the_way_to_the_worst() -> None:
    row = {"perfect": 1.0, "rotated": 0.95, "merged": 0.8, "noise": 0.4, "constant": 0.0, "few": math.nan}
    marks = {case: pages.mark(row, case, True) for case in row}
    assert marks == {"perfect": "", "rotated": "", "merged": "◐", "noise": "●", "constant": "●", "few": ""}
    upside_down = {case: -value for case, value in row.items()}
    assert {case: pages.mark(upside_down, case, False) for case in row} == marks
    assert pages.mark(row, "noise", None) == ""
    assert pages.mark({"perfect": 0.99, "noise": 1.0}, "noise", True) == ""  # nothing is worse
    assert pages.mark({"perfect": 0.1, "rotated": math.inf, "noise": 0.1}, "rotated", False) == "●"


def test_every_column_is_a_case() -> None:
    assert set(pages.COLUMNS) <= set(cases.CASES)


def test_what_is_written_is_read_again() -> None:
    table = {"mig": dict.fromkeys(pages.COLUMNS, 0.125) | {"few": math.nan}}
    assert pages.write_table(pages.read_table(pages.write_table(table))) == pages.write_table(table)


def test_pages_of_metrics_that_are_gone_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone.md").write_text("old")
    monkeypatch.setattr(pages, "punishments", kept)
    pages.main(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in FOLDER.iterdir())

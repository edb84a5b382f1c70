"""docs/your-own-data.md: what it tells users to type is typed, block after block, and there is the report."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.store.layout import Store
from pipeline.study.folders import members
from tests.pipeline.clone import Clone

GUIDE = Path(__file__).parents[3] / "docs" / "your-own-data.md"
INSTALLING = ("git clone ", "python3 -m venv ", "pip install ")
"""Lines that are not typed here: the clone is this working tree, its packages are those of the test."""


def blocks() -> list[tuple[str, str]]:
    """Language and content of every fenced block, in order."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)


def write(folder: Path, content: str) -> None:
    """Write the file that the first line names."""
    found = re.match(r"# (\S+\.yaml)\n", content)
    assert found is not None, content
    (folder / found[1]).write_text(content)


def type_in(clone: Clone, language: str, content: str) -> str:
    lines = [line for line in content.splitlines() if not line.startswith(INSTALLING)]
    activated = os.pathsep.join([str(Path(sys.executable).parent), clone.environment["PATH"]])
    command = {"bash": ["bash", "-ec"], "python": [sys.executable, "-c"]}[language]
    ran = subprocess.run(
        [*command, "\n".join(lines)],
        cwd=clone.folder,
        env={**clone.environment, "PATH": activated},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ran.returncode == 0, f"{content}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout + ran.stderr


@pytest.mark.timeout(600)
def test_the_guide_works_as_written(tmp_path: Path):
    clone = Clone(tmp_path)
    report, store = clone.folder / "reports" / "index.html", Store(clone.folder)
    report.unlink(missing_ok=True)
    *before, (_, afterwards) = blocks()
    for language, content in before:
        if language == "yaml":
            write(clone.folder, content)
        else:
            type_in(clone, language, content)

    shown = report.read_text()
    assert "Discs, rings and crosses" in shown
    assert "3 classes" in shown
    assert "cross, disc, ring" in shown
    assert "size (3), pos_y (8), pos_x (8)" in shown
    assert len(clone.results()) == 12
    scores = pd.read_csv(clone.folder / "reports" / "scores.csv")
    found = {name: set(of_it["metric"]) for name, of_it in scores.groupby("dataset")}
    assert {"logistic_accuracy", "distortion"} <= found["folder"]
    assert not {"mig", "sap"} & found["folder"]
    assert {"mig", "sap", "distortion"} <= found["arrays"]
    assert store.read_ready("arrays").meta["grid"]

    # An image less: it is seen when it is asked for.
    assert "fetch: folder: done" in type_in(clone, "bash", afterwards)
    ready = store.read_ready("folder")
    assert ready.labels is not None
    np.testing.assert_array_equal(np.bincount(ready.labels), [199, 200, 200])


def test_the_guide_names_only_existing_metrics():
    folders = ("disentanglement", "rate", "reconstruction", "representation", "samples")
    known = {name for folder in folders for name in members(f"metrics.{folder}")}
    (table,) = re.findall(r"## Which scores you get\n(.*?)\n## ", GUIDE.read_text(), re.DOTALL)
    named = set(re.findall(r"`(\w+)`", table))
    assert len(named) > 15
    assert named <= known

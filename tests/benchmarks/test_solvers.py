"""The benchmark of solvers at its smallest: both sides score the same rows. No time is asserted."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks import solver_timing, solvers
from metrics import logistic

TINY = ["--rows", "300", "150", "--rounds", "1"]


@pytest.fixture
def history() -> None:
    """A repository that has commits."""
    run = subprocess.run(["git", "rev-parse", "HEAD"], cwd=solvers.ROOT, capture_output=True, check=False)
    if run.returncode:
        pytest.skip("no git repository: the sources were downloaded without their history")


@pytest.mark.usefixtures("history")
def test_one_command_measures_both_sides_and_writes_them_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    names = ["disentanglement.udr", "representation.logistic_accuracy"]
    path = solvers.main([*TINY, "--own", "HEAD", "--metrics", *names, "--out", str(tmp_path)])
    assert path.name.startswith("solvers-")
    rows = json.loads(path.read_text())["rows"]
    assert [row["metric"] for row in rows] == ["udr", "logistic_accuracy"]
    for row in rows:
        assert min(row["seconds"].values()) > 0
        assert row["scores"]["ours"].keys() == row["scores"]["scikit-learn"].keys()
        assert row["difference"] < 0.02  # 3 of 150 rows, near a border between two classes
    assert "logistic regression" in capsys.readouterr().out


@pytest.mark.usefixtures("history")
def test_a_commit_that_git_lacks_is_named():
    with pytest.raises(SystemExit, match=r"--own no-such-commit: .*fetch the whole history"):
        solvers.main([*TINY, "--own", "no-such-commit"])


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("settings", [{}, {"penalty": 10.0, "balanced": True}])
def test_the_replacement_solves_the_same_problem(size: int, settings: dict):
    rng = np.random.default_rng(0)
    y = rng.integers(size, size=400)
    x = rng.normal(size=(400, 3)) + y[:, None] * [1, 0.3, 0]
    ours, other = (
        logistic.probabilities(x, fit(x, y, size, **settings))
        for fit in (logistic.fit, solver_timing.scikit_learn)
    )
    np.testing.assert_allclose(ours, other, atol=2e-3)


@pytest.mark.parametrize("name", solver_timing.METRICS)
def test_every_metric_gets_the_arrays_that_it_requires(name: str):
    (found,) = solver_timing.measure("ours", [name], (200, 50), None).values()
    assert all(np.isfinite(value) for value in found["scores"].values())

"""The benchmark of metrics at its smallest: both sides score the same rows. No time is asserted."""

from __future__ import annotations

import importlib.util
import inspect
import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import metrics
from benchmarks import metric_report, metric_timing, synthetic_codes
from benchmarks import metrics as command
from benchmarks.metric_timing import SUITE, Task

SIZES = (2, 3, 4)
TASK = Task(
    metrics=(), threads=1, repeats=1, peer=False, rows=(400, 200), sizes=SIZES, points=(500, 300), codes=None
)
TINY = ["--rows", "400", "200", "--sizes", "2", "3", "4", "--points", "500", "300", "--repeats", "1"]


@pytest.fixture
def peer() -> ModuleType:
    """The adapter, where the peer is installed."""
    for package in ("gin", "disentanglement_lib"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed (pip install --no-deps -r benchmarks/peers.txt)")
    from benchmarks import disentanglement_lib

    return disentanglement_lib


def test_rows_are_rows_of_the_one_model():
    table = synthetic_codes.synthetic(200, 100, SIZES)
    more = synthetic_codes.synthetic(5, 5, SIZES)
    assert table.grid is not None
    assert np.array_equal(table.grid, more.grid)
    assert np.array_equal(table.codes, table.grid[np.ravel_multi_index(tuple(table.factors.T), SIZES)])
    assert len(np.unique(table.factors, axis=0)) == 24  # 300 rows of 24 combinations


def test_the_model_is_as_large_as_dsprites_and_half_of_its_codes_are_nearly_silent():
    table = synthetic_codes.synthetic(3000, 0)
    assert table.grid is not None
    assert table.grid.shape == (737_280, 10)
    assert ((table.grid.std(axis=0) < 0.05) == (np.arange(10) >= 5)).all()
    # turned by 30°, a code of 40 and one of 32 values share both factors
    related = np.abs(np.corrcoef(table.codes[:, 2:4].T, table.factors[:, 2:4].T)[:2, 2:])
    assert related.min() > 0.3


def file_of(folder: Path, **changed: np.ndarray) -> Path:
    table = synthetic_codes.synthetic(40, 20, SIZES)
    arrays = {
        "codes_train": table.codes[:40],
        "codes_test": table.codes[40:],
        "factors_train": table.factors[:40],
        "factors_test": table.factors[40:],
    } | changed
    path = folder / "trained.npz"
    np.savez(path, **{key: value for key, value in arrays.items() if len(value)})
    return path


def test_codes_of_a_file_are_taken_as_they_are(tmp_path: Path):
    expected = synthetic_codes.synthetic(40, 20, SIZES)
    table = synthetic_codes.from_file(file_of(tmp_path))
    assert np.array_equal(table.codes, expected.codes)
    assert np.array_equal(table.factors, expected.factors)
    assert (table.train, table.sizes, table.grid) == (40, SIZES, None)
    some = synthetic_codes.from_file(file_of(tmp_path), (10, 5))
    assert np.array_equal(some.codes, expected.codes[[*range(10), *range(40, 45)]])


def test_a_file_that_lacks_rows_or_arrays_is_an_error(tmp_path: Path):
    with pytest.raises(ValueError, match="--rows: 41 of codes_train, which has 40"):
        synthetic_codes.from_file(file_of(tmp_path), (41, 20))
    with pytest.raises(ValueError, match="expected an array factors_test"):
        synthetic_codes.from_file(file_of(tmp_path, factors_test=np.zeros(0)))


def test_every_metric_of_codes_is_measured():
    measured = command.selected(None, file=False)
    rows = {metric for row in measured for metric in metric_timing.ours_of(row)}
    of_codes = {
        name for name in metrics.names() if "codes" in inspect.signature(metrics.function(name)).parameters
    }
    assert of_codes | {"rmig"} <= rows <= set(metrics.names())
    assert "rmig" not in command.selected(None, file=True)  # its standard deviations are in no file
    assert command.selected(["explicitness", "mcc"], file=False) == ["modularity_explicitness", "mcc"]


@pytest.mark.parametrize("row", SUITE)
def test_the_suite_s_scores_are_keys_of_ours(row: str):
    answer = metric_timing.measure(row, TASK.table(), TASK)
    assert answer["ours"]["failed"] is None
    assert all(value["ours"] is not None and value["peer"] is None for value in answer["scores"].values())
    assert "peer" not in answer


@pytest.mark.parametrize("row", SUITE)
def test_the_peer_scores_the_same(row: str, peer: ModuleType):
    task = replace(TASK, peer=True, rows=(1500, 700), points=(2000, 2000))
    if row == "irs":  # a factor of more values than bins
        task = replace(task, sizes=(3, 40))
    answer = metric_timing.measure(row, task.table(), task)
    assert (answer["ours"]["failed"], answer["peer"]["failed"]) == (None, None)
    assert all(len(answer[side]["calls"]) in (1, 5) for side in ("ours", "peer"))
    # Only the order of sums differs, with these exceptions: regressions and lines stop at other tolerances,
    # trees are fitted in another way, and both sides draw 2,000 fresh points (two standard errors of a
    # difference are 0.014 at the scores near 0.95 that occur here).
    allowed = {
        "modularity_explicitness": 1e-3,
        "sap": 2e-3,
        "dci": 0.02,
        "beta_vae_score": 0.02,
        "factor_vae_score": 0.02,
    }.get(row, 1e-9)
    for key, value in answer["scores"].items():
        assert value["ours"] == pytest.approx(value["peer"], abs=allowed), key


def test_the_peer_draws_from_the_whole_grid_and_reads_the_code_of_each_combination(peer: ModuleType):
    table = synthetic_codes.synthetic(10, 5)
    grid = peer.Grid(table.sizes)
    factors = grid.sample_factors(20_000, np.random.RandomState(0))
    numbers = grid.sample_observations_from_factors(factors, None)
    assert np.array_equal(numbers, np.ravel_multi_index(tuple(factors.T), table.sizes))
    for column, size in zip(factors.T, table.sizes, strict=True):
        # 20,000 / 40 of each value, ± 22; five such deviations
        assert np.abs(np.bincount(column, minlength=size) - 20_000 / size).max() < 5 * (20_000 / size) ** 0.5


def test_the_peer_gets_the_table_s_rows_in_order(peer: ModuleType):
    table = synthetic_codes.synthetic(10, 5, SIZES)
    data = peer.Rows(table)
    for expected in (slice(0, 10), slice(10, 15)):
        factors, numbers = data.sample(expected.stop - expected.start, None)
        assert np.array_equal(factors, table.factors[expected])
        assert np.array_equal(table.codes[numbers], table.codes[expected])


def test_without_all_codes_the_peer_s_drawing_scores_are_reported_as_impossible(
    tmp_path: Path, peer: ModuleType
):
    task = replace(TASK, peer=True, rows=None, codes=str(file_of(tmp_path)))
    answer = metric_timing.measure("factor_vae_score", task.table(), task)
    assert "fresh images" in answer["peer"]["failed"]
    assert answer["ours"]["seconds"] is not None
    assert "fresh images" in metric_report.suite_table([answer], stated=False)


def test_a_metric_that_fails_is_a_row_and_not_the_end():
    table = replace(TASK.table(), factors=np.zeros((600, 3), dtype=np.int64))
    answer = metric_timing.measure("mig", table, TASK)
    assert answer["ours"]["seconds"] is None
    assert "ValueError: factors" in answer["ours"]["failed"]
    assert "ValueError: factors" in metric_report.suite_table([answer], stated=False)
    further = metric_timing.measure("mcc", table, TASK)
    assert "ValueError: factors" in metric_report.others_table({1: [further]})


def test_the_suite_is_compared_over_what_both_have():
    def row(name: str, ours: float, peer: float | None, suite: bool = True) -> dict:
        return {"metric": name, "suite": suite, "scores": {}} | {
            side: {"seconds": seconds, "calls": [seconds], "failed": None if seconds else "no grid"}
            for side, seconds in (("ours", ours), ("peer", peer))
        }

    rows = [row("mig", 1.0, 8.0), row("dci", 3.0, None), row("mcc", 50.0, 100.0, suite=False)]
    sums = metric_report.suite(rows)
    assert (sums["ours"], sums["peer"], sums["ratio"]) == (4.0, 8.0, 8.0)
    assert "over mig (1 s of ours)" in metric_report.suite_table(rows, stated=True)
    assert "174.6" in metric_report.suite_table(rows, stated=True)


def test_one_command_measures_and_writes_it_down(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    names = ["modularity", "irs", "beta_vae_score", "mcc", "rmig", "knn_accuracy"]
    path = command.main(
        [*TINY, "--threads", "1", "2", "--only", *names, "--skip-peer", "--out", str(tmp_path)]
    )
    written = json.loads(path.read_text())
    assert path.name.startswith("metrics-reduced-")
    assert set(written["threads"]) == {"1", "2"}
    for found in written["threads"].values():
        assert [row["metric"] for row in found["metrics"]] == [
            "modularity_explicitness", "irs", "beta_vae_score", "mcc", "rmig", "knn_accuracy"
        ]  # fmt: skip
        assert all(row["ours"]["failed"] is None and row["ours"]["seconds"] > 0 for row in found["metrics"])
        assert found["suite"]["ours"] > 0
        assert found["suite"]["ratio"] is None
    one, two = (found["metrics"] for found in written["threads"].values())
    for row, again in zip(one, two, strict=True):
        for key, value in row["scores"].items():
            assert again["scores"][key]["ours"] == pytest.approx(value["ours"]), key
    assert {"device", "cores", "date", "commit", "scikit-learn", "load"} <= set(written["machine"])
    said = capsys.readouterr().out
    assert "further metrics" in said
    assert "all of these" in said


def test_one_command_measures_the_peer_beside(
    tmp_path: Path, peer: ModuleType, capsys: pytest.CaptureFixture[str]
):
    options = ["--threads", "1", "--only", "mig", "dci", "factor_vae_score", "--out", str(tmp_path)]
    written = json.loads(command.main([*TINY, *options]).read_text())
    found = written["threads"]["1"]
    assert found["suite"]["both_have"] == ["mig", "factor_vae_score", "dci"]
    assert found["suite"]["ratio"] > 0
    assert "difference" in capsys.readouterr().out


def test_without_the_peer_a_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    command.main([*TINY, "--threads", "1", "--only", "mig", "--out", str(tmp_path)])
    assert "disentanglement_lib is not installed" in capsys.readouterr().out


def test_a_metric_that_a_file_has_no_arrays_for_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    options = ["--codes", str(file_of(tmp_path)), "--only", "mig", "rmig", "--skip-peer", "--threads", "1"]
    path = command.main([*options, "--repeats", "1", "--out", str(tmp_path)])
    assert path.name.startswith("metrics-trained-reduced-")
    assert "left out, as they need arrays beside codes and factors: rmig" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="rmig: none is a metric of codes"):
        command.main([*options[:3], "rmig"])


def test_a_process_that_ends_early_is_an_error():
    with pytest.raises(RuntimeError, match="ended with status 1"):
        list(command.measure(replace(TASK, metrics=["mig"], rows=None, codes="/nowhere.npz")))


@pytest.mark.parametrize(
    "options",
    [
        ["--only", "no_such_metric"],
        ["--rows", "0", "5"],
        ["--sizes", "3"],
        ["--codes", "x.npz", "--sizes", "2", "2"],
    ],
)
def test_options_that_make_no_sense_are_refused(options: list[str]):
    with pytest.raises(SystemExit):
        command.parse(options)

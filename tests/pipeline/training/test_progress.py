"""The progress that the driver shows, and the reason that it finds for a worker that died silently."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from pipeline.study.trial import Trial
from pipeline.training.driver import reason_of
from pipeline.training.progress import Progress
from tests.pipeline.small_trials import SETTINGS, make_trial


def trial_of(steps: int, seed: int, dataset: str = "digits") -> Trial:
    training = dataclasses.replace(SETTINGS, steps=steps)
    return make_trial("beta_vae", seed, hyper={"beta": 4}, dataset=dataset, training=training)


def test_time_left_is_by_the_cost_of_what_is_done(monkeypatch: pytest.MonkeyPatch):
    now = [100.0]
    monkeypatch.setattr("pipeline.training.progress.time.monotonic", lambda: now[0])
    cheap, dear = trial_of(100, 0), trial_of(100, 0, "dsprites")
    progress = Progress([cheap, dear], lambda trial: 9.0 if trial.dataset == "dsprites" else 1.0)
    assert progress.seconds_left is None  # nothing is known yet
    now[0] += 20
    progress.ended[cheap.key] = "finished"  # 100 of 1000 units of work
    assert progress.seconds_left == pytest.approx(180)
    progress.running[dear.key] = {"step": 50}  # 450 more
    assert progress.seconds_left == pytest.approx(20 * 450 / 550)
    assert progress.line() == "1/2 trials ended, 1 running, 20 s so far, about 16 s left"
    progress.ended[cheap.key] = "failed"
    assert "1 failed" in progress.line()


def test_the_table_shows_what_runs():
    trial = trial_of(2000, 3)
    progress = Progress([trial], lambda trial: 1.0)
    progress.running[trial.key] = {"step": 700, "distortion": 21.789, "rate": 12.03}
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(progress.table())
    text = console.export_text()
    for part in ("digits", "beta_vae beta=4 seed=3", "700/2000", "21.79", "12.03", "0/1 trials ended"):
        assert part in text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "the worker process ended without an error message"),
        ("", "the worker process ended without an error message"),
        (
            "Failure # 1 (occurred at 2026-01-01_00-00-00)\nold\n"
            "Failure # 2 (occurred at 2026-01-01_00-01-00)\nThe actor died unexpectedly.\n\tclass_name: F\n",
            "The actor died unexpectedly.",
        ),
        (
            "Failure # 1 (occurred at 2026-01-01_00-00-00)\nray::train()\n"
            'Traceback (most recent call last):\n  File "a.py", line 1\nMemoryError: no room\n',
            "MemoryError: no room",
        ),
    ],
)
def test_the_reason_is_the_last_failure_in_one_line(tmp_path: Path, content: str | None, reason: str):
    path = tmp_path / "error.txt"
    if content is not None:
        path.write_text(content)
    assert reason_of(SimpleNamespace(error_file=str(path)))[0] == reason

"""The models that an evaluation runs: each once, and a peer's although no score of its own is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.scoring.model_runs import model_runs
from pipeline.scoring.score_cache import Work, requested
from pipeline.store.layout import Store
from pipeline.study.params import load
from pipeline.study.trial import Trial
from tests.pipeline.small_study import configure, trials_of


@pytest.fixture
def work(digits_store: Store, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, int], Work]:
    """Family and seed -> all work for the trial; nothing is trained."""
    monkeypatch.chdir(digits_store.root)
    configure(
        ["rate", "udr", "mse", "distortion", "frechet_distance"],
        families={"ae": {}, "vae": {}}, seeds=[0, 1, 2], untrained=False,
    )  # fmt: skip
    params, ready = load(Path("params.yaml")), {"digits": digits_store.read_ready("digits")}
    trials = trials_of(params, digits_store)
    requests = requested(params, ready, trials)
    return {(trial.family, trial.seed): Work(trial, requests[trial.key], draw=False) for trial in trials}


def only(work: Work, *names: str) -> Work:
    return Work(work.trial, {name: work.metrics[name] for name in names}, draw=False)


def seeds(keys: set[str], work: dict[tuple[str, int], Work]) -> list[tuple[str, int]]:
    return [place for place, item in work.items() if item.trial.key in keys]


def test_a_model_is_run_as_far_as_its_metrics_need(work: dict[tuple[str, int], Work]):
    item = work["vae", 0]
    expected = {
        ("rate",): {"rate", "rate_per_group"},
        ("mse",): set(),
        ("distortion",): {"distortion"},
        ("frechet_distance",): {"real", "samples"},
    }
    for names, arrays in expected.items():
        (run,) = model_runs([only(item, *names)]).values()
        assert run.arrays == arrays
        assert not run.partners


def test_each_model_is_run_once_in_the_order_of_the_work(work: dict[tuple[str, int], Work]):
    found = model_runs(list(work.values()))
    assert [run.work for run in found.values()] == list(work.values())
    for place, item in work.items():
        family = [other for other in work if other[0] == place[0]]
        run = found[item.trial.key]
        assert seeds(run.partners, work) == seeds(run.users, work) == family
        assert run.compared == {"mean", "std"}


def test_a_peer_is_run_although_no_score_of_its_own_is_missing(work: dict[tuple[str, int], Work]):
    found = model_runs([only(work["ae", 0], "rate"), only(work["vae", 1], "udr")])
    trials: list[Trial] = [run.work.trial for run in found.values()]
    assert [(trial.family, trial.seed) for trial in trials] == [("ae", 0), ("vae", 1), ("vae", 0), ("vae", 2)]
    helper = found[work["vae", 2].trial.key]
    assert helper.arrays == {"mean", "std"}
    assert (helper.work.metrics, helper.work.draw) == ({}, False)
    assert seeds(helper.users, work) == [("vae", 1)]

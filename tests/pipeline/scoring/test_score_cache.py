"""Which scores are missing: those that are not kept, and those that depend on something that has changed."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.scoring import score_cache
from pipeline.scoring.computation import Score
from pipeline.store.layout import Store
from pipeline.study.metric_settings import read_call
from pipeline.study.params import load
from tests.pipeline.small_study import FEW, configure, prepare, train_all, trials_of


@pytest.fixture
def study(digits_store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Three trained models and an untrained one, in the current folder; nothing scored."""
    monkeypatch.chdir(digits_store.root)
    configure(FEW)
    train_all(digits_store)
    return digits_store


def planned(store: Store) -> list[score_cache.Work]:
    ready = {"digits": store.read_ready("digits")}
    trials = [trial for trial in trials_of(load(), store) if store.is_finished("digits", trial.key)]
    return score_cache.plan(trials, score_cache.requested(load(), ready, trials), store)


def score_all(store: Store) -> None:
    """Keep some value for every missing score."""
    for work in planned(store):
        found = {name: Score({name: 0.5}, "all", 0.1) for name in work.metrics}
        pictures = dict.fromkeys(score_cache.PICTURES, b"PNG") if work.draw else {}
        score_cache.keep(work, found, [], pictures, store)


def missing(store: Store) -> set[frozenset[str]]:
    """The sets of metrics that trials lack, "pictures" among them."""
    return {frozenset([*work.metrics, *(["pictures"] if work.draw else [])]) for work in planned(store)}


def test_only_what_changed_is_computed_again(study: Store, monkeypatch: pytest.MonkeyPatch):
    assert missing(study) == {frozenset([*FEW, "pictures"])}
    score_all(study)
    assert missing(study) == set()

    configure({**dict.fromkeys(FEW), "active_units": {"threshold": 0.1}})
    assert missing(study) == {frozenset(["active_units"])}
    score_all(study)
    configure({**dict.fromkeys(FEW), "active_units": {"threshold": 0.2}})
    assert missing(study) == {frozenset(["active_units"])}
    configure(FEW)
    assert missing(study) == set()

    source = score_cache._metric_source
    with monkeypatch.context() as patch:
        patch.setattr(score_cache, "_metric_source", lambda name: source(name) + "changed" * (name == "rate"))
        assert missing(study) == {frozenset(["rate"])}
    with monkeypatch.context() as patch:
        change(patch, "pipeline.scoring.encoding")
        assert missing(study) == {frozenset(FEW)}
    with monkeypatch.context() as patch:
        change(patch, "pipeline.scoring.pictures")
        assert missing(study) == {frozenset(["pictures"])}


def change(patch: pytest.MonkeyPatch, module: str) -> None:
    """Change every digest of code that this module is part of."""

    def changed(digest: Callable[..., str]) -> Callable[..., str]:
        return lambda *modules: digest(*modules) + "x" * (module in modules)

    patch.setattr(score_cache, "code_digest", changed(score_cache.code_digest))
    patch.setattr(score_cache, "source_digest", changed(score_cache.source_digest))


def test_every_module_that_changes_a_score_is_in_its_digest():
    """They import no other module of pipeline: a change of it would leave stale scores."""
    covered = {*score_cache.CODE, score_cache.SAMPLING}
    for module in covered:
        tree = ast.parse(Path(importlib.import_module(module).__file__ or "").read_text())
        assert not any(
            isinstance(node, ast.Import) and "pipeline" in ast.unparse(node) for node in ast.walk(tree)
        )
        imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert {name for name in imported if name.split(".")[0] == "pipeline"} <= covered


def test_the_rows_of_an_array_are_in_the_digest_and_its_meaning_is_not(
    study: Store, monkeypatch: pytest.MonkeyPatch
):
    score_all(study)
    rate = score_cache.ARRAYS["rate"]
    monkeypatch.setitem(score_cache.ARRAYS, "rate", replace(rate, meaning="other words"))
    assert missing(study) == set()
    monkeypatch.setitem(score_cache.ARRAYS, "rate", replace(rate, held_out=True))
    assert missing(study) == {frozenset(["rate", "negative_elbo"])}


def test_a_requested_interval_is_computed(study: Store):
    score_all(study)
    configure({**dict.fromkeys(FEW), "rate": {"n_resamples": 0}})
    assert missing(study) == set()
    for settings in ({"n_resamples": 50}, {"n_resamples": 60}, {"n_resamples": 60, "confidence": 0.9}):
        configure({**dict.fromkeys(FEW), "rate": settings})
        assert missing(study) == {frozenset(["rate"])}
        score_all(study)


def test_the_number_of_samples_concerns_metrics_that_need_them(study: Store, monkeypatch: pytest.MonkeyPatch):
    names = [*FEW, "frechet_distance"]
    configure(names)
    score_all(study)
    configure(names, evaluation={"metrics": names, "samples": 30})
    lacking = planned(study)
    assert {frozenset(work.metrics) for work in lacking} == {frozenset(["frechet_distance"])}
    assert {work.trial.family for work in lacking} == {"beta_vae", "vae"}, "a deterministic code has no prior"
    score_all(study)
    change(monkeypatch, "pipeline.scoring.sampling")
    assert missing(study) == {frozenset(["frechet_distance"])}


def test_another_seed_concerns_metrics_of_several_seeds(study: Store):
    names = ["rate", "udr"]
    configure(names)
    score_all(study)
    assert all("udr" not in study.trial_scores("digits", t.key)["metrics"] for t in trials_of(load(), study))
    grown: dict[str, Any] = {"seeds": [0, 1], "untrained": False, "families": {"ae": {}, "vae": {}}}
    configure(names, **grown)
    # Trained one by one: a seed that is not finished is nobody's peer.
    configure(names, **{**grown, "seeds": [0]})
    train_all(study)
    score_all(study)
    configure(names, **grown)
    assert missing(study) == set()
    train_all(study)
    lacking = {(work.trial.family, work.trial.seed): work for work in planned(study)}
    assert {place: set(work.metrics) for place, work in lacking.items()} == {
        ("ae", 0): {"udr"}, ("vae", 0): {"udr"}, ("ae", 1): {"rate", "udr"}, ("vae", 1): {"rate", "udr"},
    }  # fmt: skip
    peers = {place: work.metrics["udr"].peers for place, work in lacking.items()}
    assert {place: [(peer.family, peer.seed) for peer in of] for place, of in peers.items()} == {
        (family, seed): [(family, 1 - seed)] for family in ("ae", "vae") for seed in (0, 1)
    }
    score_all(study)
    assert missing(study) == set()
    configure(names, **{**grown, "seeds": [1, 0]})
    assert missing(study) == set(), "the order of seeds is of no account"
    configure(names, **{**grown, "seeds": [0, 1, 2]})
    train_all(study)
    assert {(work.trial.seed, *sorted(work.metrics)) for work in planned(study)} == {
        (0, "udr"), (1, "udr"), (2, "rate", "udr"),
    }  # fmt: skip


def test_the_untrained_are_no_peers_of_the_trained(study: Store):
    configure(["udr"], families={"vae": {}}, seeds=[0, 1])
    train_all(study)
    for work in planned(study):
        (peer,) = work.metrics["udr"].peers
        assert (peer.untrained, peer.seed) == (work.trial.untrained, 1 - work.trial.seed)


def test_what_a_data_set_lacks_leaves_metrics_out(study: Store):
    configure(["mig", "knn_accuracy", "logistic_accuracy", "rate"])
    assert {frozenset(work.metrics) for work in planned(study)} == {
        frozenset(["knn_accuracy", "logistic_accuracy", "rate"])
    }
    prepare(study)  # with factors: other data, and so other trials
    train_all(study)
    assert {len(work.metrics) for work in planned(study)} == {4}


def test_damaged_scores_are_computed_again(study: Store):
    score_all(study)
    first, second, *_ = trials_of(load(), study)
    path = study.scores("digits") / first.key / "scores.json"
    path.write_text(path.read_text()[:100])
    (study.scores("digits") / second.key / "traversals.png").unlink()
    work = {item.trial.key: item for item in planned(study)}
    assert set(work) == {first.key, second.key}
    assert set(work[first.key].metrics) == set(FEW)
    assert (set(work[second.key].metrics), work[second.key].draw) == (set(), True)


def test_a_stale_score_does_not_stay_for_one_that_failed(study: Store):
    score_all(study)
    trial = trials_of(load(), study)[0]
    stale = score_cache.Requested(read_call("rate", {}), "another digest")
    score_cache.keep(score_cache.Work(trial, {"rate": stale}, draw=False), {}, ["rate"], {}, study)
    assert set(study.trial_scores("digits", trial.key)["metrics"]) == set(FEW) - {"rate"}


def test_scores_are_kept_one_by_one(study: Store):
    (work, *_) = planned(study)
    for count, name in enumerate(work.metrics, 1):
        score_cache.keep(work, {name: Score({name: 1.0}, "all", 0.1)}, [], {}, study)
        entries = study.trial_scores("digits", work.trial.key)["metrics"]
        assert len(entries) == count
        assert entries[name] == {
            "digest": work.metrics[name].digest, "values": {name: 1.0}, "split": "all", "seconds": 0.1,
        }  # fmt: skip


def test_the_table_of_no_trial_has_its_columns():
    empty = score_cache.table([])
    assert list(empty.columns) == list(score_cache.COLUMNS)
    assert empty["value"].dtype == np.float64

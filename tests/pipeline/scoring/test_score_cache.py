"""Which scores are missing: none that is kept and up to date, all that something they depend on has changed for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.scoring import score_cache
from pipeline.scoring.computation import Score
from pipeline.store.layout import Store
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
    return score_cache.plan(trials, score_cache.asked(load(), ready, trials), store)


def score_all(store: Store) -> None:
    """Keep something for all that is missing."""
    for work in planned(store):
        found = {name: Score({name: 0.5}, "all", 0.1) for name in work.wanted}
        pictures = dict.fromkeys(score_cache.PICTURES, b"PNG") if work.draw else {}
        score_cache.keep(work, found, [], pictures, store)


def missing(store: Store) -> set[frozenset[str]]:
    """The sets of metrics that trials lack, "pictures" among them."""
    return {frozenset([*work.wanted, *(["pictures"] if work.draw else [])]) for work in planned(store)}


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
    digest = score_cache.source_digest
    with monkeypatch.context() as patch:
        changed = "pipeline.scoring.encoding"
        patch.setattr(
            score_cache, "source_digest", lambda *modules: digest(*modules) + "x" * (changed in modules)
        )
        assert missing(study) == {frozenset(FEW)}
        changed = "pipeline.scoring.pictures"
        assert missing(study) == {frozenset(["pictures"])}


def test_an_interval_is_computed_where_it_is_asked_for(study: Store):
    score_all(study)
    configure({**dict.fromkeys(FEW), "rate": {"n_resamples": 0}})
    assert missing(study) == set()
    for settings in ({"n_resamples": 50}, {"n_resamples": 60}, {"n_resamples": 60, "confidence": 0.9}):
        configure({**dict.fromkeys(FEW), "rate": settings})
        assert missing(study) == {frozenset(["rate"])}
        score_all(study)


def test_the_number_of_samples_concerns_what_takes_them(study: Store):
    names = [*FEW, "frechet_distance"]
    configure(names)
    score_all(study)
    configure(names, evaluation={"metrics": names, "samples": 30})
    lacking = planned(study)
    assert {frozenset(work.wanted) for work in lacking} == {frozenset(["frechet_distance"])}
    assert {work.trial.family for work in lacking} == {"beta_vae", "vae"}, "a deterministic code has no prior"


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
    assert {place: set(work.wanted) for place, work in lacking.items()} == {
        ("ae", 0): {"udr"}, ("vae", 0): {"udr"}, ("ae", 1): {"rate", "udr"}, ("vae", 1): {"rate", "udr"},
    }  # fmt: skip
    peers = {place: work.wanted["udr"].peers for place, work in lacking.items()}
    assert {place: [(peer.family, peer.seed) for peer in of] for place, of in peers.items()} == {
        (family, seed): [(family, 1 - seed)] for family in ("ae", "vae") for seed in (0, 1)
    }
    score_all(study)
    assert missing(study) == set()
    configure(names, **{**grown, "seeds": [1, 0]})
    assert missing(study) == set(), "the order of seeds is of no account"
    configure(names, **{**grown, "seeds": [0, 1, 2]})
    train_all(study)
    assert {(work.trial.seed, *sorted(work.wanted)) for work in planned(study)} == {
        (0, "udr"), (1, "udr"), (2, "rate", "udr"),
    }  # fmt: skip


def test_the_untrained_are_no_peers_of_the_trained(study: Store):
    configure(["udr"], families={"vae": {}}, seeds=[0, 1])
    train_all(study)
    for work in planned(study):
        (peer,) = work.wanted["udr"].peers
        assert (peer.untrained, peer.seed) == (work.trial.untrained, 1 - work.trial.seed)


def test_what_a_data_set_lacks_leaves_metrics_out(study: Store):
    configure(["mig", "knn_accuracy", "logistic_accuracy", "rate"])
    assert {frozenset(work.wanted) for work in planned(study)} == {
        frozenset(["knn_accuracy", "logistic_accuracy", "rate"])
    }
    prepare(study)  # with factors: other data, and so other trials
    train_all(study)
    assert {len(work.wanted) for work in planned(study)} == {4}


def test_damaged_scores_are_computed_again(study: Store):
    score_all(study)
    first, second, *_ = trials_of(load(), study)
    path = study.scores("digits") / first.key / "scores.json"
    path.write_text(path.read_text()[:100])
    (study.scores("digits") / second.key / "traversals.png").unlink()
    work = {item.trial.key: item for item in planned(study)}
    assert set(work) == {first.key, second.key}
    assert set(work[first.key].wanted) == set(FEW)
    assert (set(work[second.key].wanted), work[second.key].draw) == (set(), True)


def test_a_stale_score_does_not_stay_for_one_that_failed(study: Store):
    score_all(study)
    trial = trials_of(load(), study)[0]
    asked = score_cache.Asked({}, {}, frozenset(["mean"]), "another digest")
    score_cache.keep(score_cache.Work(trial, {"rate": asked}, draw=False), {}, ["rate"], {}, study)
    assert set(study.trial_scores("digits", trial.key)["metrics"]) == set(FEW) - {"rate"}


def test_scores_are_kept_one_by_one(study: Store):
    (work, *_) = planned(study)
    for count, name in enumerate(work.wanted, 1):
        score_cache.keep(work, {name: Score({name: 1.0}, "all", 0.1)}, [], {}, study)
        entries = study.trial_scores("digits", work.trial.key)["metrics"]
        assert len(entries) == count
        assert entries[name] == {
            "digest": work.wanted[name].digest, "values": {name: 1.0}, "split": "all", "seconds": 0.1,
        }  # fmt: skip


def test_the_table_of_no_trial_has_its_columns():
    empty = score_cache.table([])
    assert list(empty.columns) == list(score_cache.COLUMNS)
    assert empty["value"].dtype == np.float64


def test_a_metric_of_a_study_takes_what_there_is(study: Store, monkeypatch: pytest.MonkeyPatch):
    def fails(name: str) -> set[str]:
        raise ValueError(f"metrics/rate/{name}.py: parameter 'colours' is no array")

    monkeypatch.setattr(score_cache, "arguments", fails)
    with pytest.raises(score_cache.UserError, match=r"params\.yaml: evaluation\.metrics: .*colours"):
        planned(study)

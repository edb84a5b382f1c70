"""What metrics take, what a model is run for, and the settings that metrics have in params.yaml."""

from __future__ import annotations

import pytest

import metrics
from pipeline.study.metric_inputs import BY_BATCH, arguments, origin
from pipeline.study.metric_settings import check, resampling


@pytest.mark.parametrize("name", metrics.names())
def test_every_metric_takes_what_there_is(name: str):
    assert arguments(name)


def test_a_metric_that_asks_for_what_there_is_not(monkeypatch: pytest.MonkeyPatch):
    def own(codes, colours): ...

    def both(images, labels): ...

    monkeypatch.setattr(metrics, "function", lambda name: own)
    with pytest.raises(ValueError, match=r"parameter 'colours' is no array .* codes, dimensions"):
        arguments("own")
    monkeypatch.setattr(metrics, "function", lambda name: both)
    with pytest.raises(ValueError, match=r"batch by batch.*labels"):
        arguments("both")


def test_what_a_model_is_run_for():
    assert origin({"codes", "factors", "rng", "test"}) == {"codes"}
    assert origin({"mean", "std", "peer_mean", "peer_std"}) == {"mean", "std"}
    assert origin({"rate", "rate_per_group"}) == {"rate", "rate_per_group"}
    assert origin({"real", "samples", "dimensions"}) == {"real", "samples"}
    assert origin(BY_BATCH) == set()


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("mgi", {}, r"no such metric\. Known: .*mig"),
        ("mig", {"bin": 3}, r"unknown setting 'bin'\. It has: bins, n_resamples, confidence"),
        ("mig", {"n_resamples": -1}, r"n_resamples: .* whole number ≥ 2, or 0 for none; got -1"),
        ("mig", {"n_resamples": 1}, r"n_resamples: .* ≥ 2, or 0 for none; got 1"),
        ("mig", {"n_resamples": 2.5}, r"n_resamples: .* got 2\.5"),
        ("mig", {"n_resamples": True}, r"n_resamples: .* got True"),
        ("mig", {"confidence": 95}, r"confidence: a number between 0 and 1, got 95"),
        ("mse", {"n_resamples": 100}, r"'n_resamples' .* batch by batch, and has no interval of its own"),
        ("mse", {"bins": 100}, r"unknown setting 'bins'\. It has: none"),
        ("logistic_accuracy", {"test": 1}, r"unknown setting 'test'"),
    ],
)
def test_a_mistake_in_a_setting_is_named(name: str, settings: dict[str, object], expected: str):
    with pytest.raises(ValueError, match=expected):
        check(name, settings)


def test_settings_of_an_interval_are_apart():
    check("mig", {"bins": 10, "n_resamples": 100, "confidence": 0.9})
    found = resampling({"bins": 10, "n_resamples": 100, "confidence": 0.9})
    assert found == ({"bins": 10}, {"n_resamples": 100, "confidence": 0.9})
    assert resampling({"bins": 10}) == resampling({"bins": 10, "n_resamples": 0, "confidence": 0.9})

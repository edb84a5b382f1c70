"""From a metric's settings in params.yaml to its call: its arrays, checks, and settings of an interval."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

import metrics
from metrics import uncertainty
from pipeline.errors import UserError
from pipeline.study.metric_settings import read_call
from pipeline.study.params import load


@pytest.mark.parametrize("name", metrics.names())
def test_every_metric_can_be_requested(name: str):
    call = read_call(name, {})
    assert (call.name, call.settings, call.interval) == (name, {}, {})
    assert call.arrays


def test_a_metric_of_images_needs_nothing_else(monkeypatch: pytest.MonkeyPatch):
    def mse(images, labels): ...

    monkeypatch.setattr(metrics, "function", lambda name: mse)
    with pytest.raises(ValueError, match=r"test_metric_settings\.py: .*batch by batch.*labels"):
        read_call("mse", {})


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("mgi", {}, r"no such metric\. Known: .*mig"),
        ("mig", {"bin": 3}, r"unknown setting 'bin'\. It has: bins, n_resamples, confidence"),
        ("mig", {"n_resamples": -1}, r"n_resamples: .* whole number ≥ 2, or 0 for none; got -1"),
        ("mig", {"n_resamples": 1}, r"n_resamples: .* ≥ 2, or 0 for none; got 1"),
        ("mig", {"n_resamples": 2.5}, r"n_resamples: .* got 2\.5"),
        ("mig", {"n_resamples": 2.0}, r"n_resamples: .* got 2\.0"),
        ("mig", {"n_resamples": True}, r"n_resamples: .* got True"),
        ("mig", {"confidence": 95}, r"confidence: a number between 0 and 1, got 95"),
        ("mse", {"n_resamples": 100}, r"'n_resamples' .* batch by batch, and has no interval of its own"),
        ("mse", {"bins": 100}, r"unknown setting 'bins'\. It has: none"),
        ("logistic_accuracy", {"test": 1}, r"unknown setting 'test'"),
    ],
)
def test_a_mistake_in_a_setting_is_named(name: str, settings: dict[str, object], expected: str):
    with pytest.raises(ValueError, match=expected):
        read_call(name, settings)


def test_a_mistake_is_found_when_params_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def rate(rate, colours): ...

    content = yaml.safe_load(Path("params.yaml").read_text()) | {"evaluation": {"metrics": ["rate"]}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    assert load(tmp_path / "params.yaml").evaluation.calls() == {"rate": read_call("rate", {})}
    monkeypatch.setattr(metrics, "function", lambda name: rate)
    with pytest.raises(
        UserError, match=r"params\.yaml: evaluation\.metrics\.rate: .*'colours' is not an array"
    ):
        load(tmp_path / "params.yaml")


def test_settings_of_an_interval_are_apart():
    call = read_call("mig", {"bins": 10, "n_resamples": 100, "confidence": 0.9})
    assert (call.settings, call.interval) == ({"bins": 10}, {"n_resamples": 100, "confidence": 0.9})
    assert read_call("mig", {"bins": 10}) == read_call(
        "mig", {"bins": 10, "n_resamples": 0, "confidence": 0.9}
    )


def test_a_call_is_the_function_with_its_settings_and_its_generator():
    rng, rows = np.random.default_rng(0), np.arange(200)
    arrays = {"codes": rng.normal(size=(200, 3)), "targets": rows % 2, "test": rows % 4 == 0}
    call = read_call("knn_accuracy", {"neighbours": 3})
    found = call(arrays, np.random.default_rng(5))
    assert found == metrics.function("knn_accuracy")(**arrays, rng=np.random.default_rng(5), neighbours=3)
    call = read_call("knn_accuracy", {"neighbours": 3, "n_resamples": 2})
    found = call(arrays, np.random.default_rng(5))
    assert found == uncertainty.interval(
        "knn_accuracy", arrays, np.random.default_rng(5), n_resamples=2, neighbours=3
    )


def test_a_setting_takes_the_place_of_a_fact():
    nats = {"distortion": np.full(5, 90.0), "rate": np.ones(5), "dimensions": 64}
    own = read_call("bits_per_dim", {"bin_width": 0.5})({**nats, "bin_width": 0.1})
    assert own == metrics.function("bits_per_dim")(**nats, bin_width=0.5)

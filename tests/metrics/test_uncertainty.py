"""Intervals: their standard error against closed forms, and an interval of every metric."""

from __future__ import annotations

import math

import numpy as np
import pytest

import metrics
from metrics.uncertainty import interval
from tests.metrics.expectations import expected
from tests.metrics.harness import arguments, world


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("method", ["half", "bootstrap"])
def test_the_interval_of_a_mean_is_that_of_its_standard_error(method: str) -> None:
    distortion = rng(1).exponential(size=2000)
    found = interval("distortion", {"distortion": distortion}, rng(), n_resamples=1000, method=method)
    exact = 1.959964 * found["distortion_standard_error"]
    assert found["distortion"] == distortion.mean()
    # 1,000 resamples: the standard error itself is known to 1/sqrt(2000), 2.2 %
    assert found["distortion_high"] - found["distortion"] == pytest.approx(exact, rel=0.08)
    assert found["distortion"] - found["distortion_low"] == pytest.approx(exact, rel=0.08)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(300):
        sample = rng(seed).normal(3, 1, size=200)
        found = interval("distortion", {"distortion": sample}, rng(seed), n_resamples=60, confidence=0.8)
        covered += found["distortion_low"] < 3 < found["distortion_high"]
    assert covered / 300 == pytest.approx(0.8, abs=0.07)  # standard error of the share: 0.023


def test_mig_spreads_as_over_fresh_samples() -> None:
    def sample(seed: int) -> dict[str, np.ndarray]:
        generator = rng(seed)
        factors = generator.integers(4, size=(2000, 2))
        return {"factors": factors, "codes": factors + generator.normal(size=(2000, 2)) * 0.8}

    fresh = np.std([metrics.function("mig")(**sample(seed))["mig"] for seed in range(200)], ddof=1)
    found = interval("mig", sample(1000), rng(), n_resamples=200)
    # Each of the two is known to 1/sqrt(400), 5 %; one sample's spread varies on top of it.
    assert (found["mig_high"] - found["mig_low"]) / (2 * 1.959964) == pytest.approx(fresh, rel=0.3)


@pytest.mark.parametrize("name", list(metrics.names()))
def test_every_metric_has_an_interval_around_its_value_that_the_generator_decides(name: str) -> None:
    arrays = world()
    given = {key: arrays[key] for key in arguments(name) if key != "rng"}
    about = metrics.describe(name)
    settings = expected(name).settings
    draws = {"rng": rng(5)} if "rng" in arguments(name) else {}
    plain = metrics.function(name)(**given, **draws, **settings)
    found = interval(name, given, rng(5), n_resamples=2, **settings)
    assert {key: found[key] for key in plain} == plain
    assert set(found) == {f"{key}{end}" for key in plain for end in ("", "_low", "_high")}
    low, high = found[f"{about.main}_low"], found[f"{about.main}_high"]
    assert about.range[0] <= low <= found[about.main] <= high <= about.range[1]
    assert found == interval(name, given, rng(5), n_resamples=2, **settings)


def test_an_infinite_value_has_its_whole_range_for_an_interval() -> None:
    found = interval(
        "rate",
        {"rate": np.full(10, np.inf), "rate_per_group": np.full((10, 2), np.inf)},
        rng(),
        n_resamples=2,
    )
    assert found["rate"] == math.inf
    assert (found["rate_low"], found["rate_high"]) == (0, math.inf)


def test_two_sets_of_images_are_resampled_apart_and_in_the_same_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The order does not depend on the hashes of names, which differ between processes."""
    drawn: list[tuple[np.ndarray, np.ndarray]] = []

    def apart(samples: np.ndarray, real: np.ndarray) -> dict[str, float]:
        drawn.append((real, samples))
        return {"frechet_distance": 0.0}

    monkeypatch.setattr(metrics, "function", lambda name: apart)
    rows = np.arange(40)
    interval("frechet_distance", {"samples": rows, "real": rows}, rng(7), n_resamples=2)
    for stream, (real, samples) in zip(rng(7).spawn(2), drawn[1:], strict=True):
        np.testing.assert_array_equal(real, np.sort(stream.choice(rows, 20, replace=False)))
        np.testing.assert_array_equal(samples, np.sort(stream.choice(rows, 20, replace=False)))


def test_held_out_rows_stay_held_out() -> None:
    arrays = world("noise")
    codes = np.arange(len(arrays["test"]), dtype=float)[:, None] % 7
    given = {"codes": codes, "targets": arrays["labels"], "test": arrays["test"]}
    found = interval("logistic_accuracy", given, rng(), n_resamples=5)
    assert found["logistic_accuracy_low"] <= found["logistic_accuracy"] <= found["logistic_accuracy_high"]


def test_settings_are_checked() -> None:
    given = {"distortion": np.ones(10)}
    with pytest.raises(ValueError, match="n_resamples: expected an integer ≥ 2, got 1"):
        interval("distortion", given, rng(), n_resamples=1)
    with pytest.raises(ValueError, match=r"confidence: .*got 95"):
        interval("distortion", given, rng(), n_resamples=2, confidence=95)
    with pytest.raises(ValueError, match="method"):
        interval("distortion", given, rng(), n_resamples=2, method="jackknife")
    with pytest.raises(ValueError, match="at least 4 rows"):
        interval("distortion", {"distortion": np.ones(3)}, rng(), n_resamples=2)
    with pytest.raises(ValueError, match="unknown metric"):
        interval("distort", given, rng(), n_resamples=2)

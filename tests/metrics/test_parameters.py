"""The arrays and the settings of a metric, read from its function."""

from __future__ import annotations

import pytest

import metrics
from metrics.parameters import parameters
from metrics.vocabulary import ARRAYS


@pytest.mark.parametrize("name", metrics.names())
def test_every_metric_needs_arrays_and_its_settings_have_defaults(name: str) -> None:
    found = parameters(name)
    assert found.arrays
    assert set(found.arrays) <= ARRAYS.keys()
    assert all(setting.default is not setting.empty for setting in found.settings.values())


def test_a_single_value_with_a_default_is_a_setting_too() -> None:
    found = parameters("bits_per_dim")
    assert found.arrays == ("distortion", "rate", "dimensions", "bin_width")
    assert list(found.settings) == ["bin_width"]
    assert "test" not in parameters("logistic_accuracy").settings


def test_a_parameter_that_is_no_array_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def own(codes, colours): ...  # type: ignore[no-untyped-def]

    monkeypatch.setattr(metrics, "function", lambda name: own)
    with pytest.raises(
        ValueError, match=r"test_parameters\.py: parameter 'colours' is not an array\. .* codes, dimensions"
    ):
        parameters("own")

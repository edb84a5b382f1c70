"""Values as people read them."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.study.wording import duration, ends, short


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59, "59 s"),
        (200, "3 min 20 s"),
        (3900, "1 h 05 min"),
        (360000, "100 h 00 min"),
        (9e6, "2,500 h 00 min"),
    ],
)
def test_durations(seconds: float, text: str):
    assert duration(seconds) == text


LINEAR = {"schedule": "linear", "from": 0.0, "to": 25.0, "steps": 10.0}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (4.0, "4"),
        (0.001, "0.001"),
        ("conv", "conv"),
        (True, "True"),
        ({"name": "mlp", "hidden": [256, 128]}, "mlp(256-128)"),
        ({"name": "mlp", "hidden": []}, "mlp(linear)"),
        ({"name": "gaussian"}, "gaussian"),
        (LINEAR, "linear(0→25)"),
    ],
)
def test_settings(value: Any, text: str):
    assert short(value) == text


def test_the_ends_of_a_schedule():
    assert ends(LINEAR) == "0→25"
    assert ends({"schedule": "constant", "value": 3.0}) == ""

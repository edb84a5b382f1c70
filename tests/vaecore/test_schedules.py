"""Schedules have their formula's values, for numbers and tensors alike, and never leave their extremes."""

from __future__ import annotations

import math

import pytest
import torch

from vaecore.schedules import names, schedule

EXAMPLES = {
    "constant": {"schedule": "constant", "value": 3},
    "linear": {"schedule": "linear", "from": 1, "to": 5, "steps": 100},
    "cosine": {"schedule": "cosine", "from": 5, "to": 1, "steps": 100, "delay": 10},
    "cyclical": {"schedule": "cyclical", "from": 0, "to": 4, "period": 20, "ratio": 0.5},
    "sigmoid": {"schedule": "sigmoid", "from": 0, "to": 1, "steps": 100},
}


def test_every_kind_has_an_example():
    assert sorted(EXAMPLES) == names()


@pytest.mark.parametrize("kind", names())
def test_tensors_and_numbers_agree_and_stay_within_the_extremes(kind):
    values = schedule(EXAMPLES[kind])
    steps = torch.arange(0, 300)
    low, high = values.extremes()
    as_numbers = [values(step) for step in steps.tolist()]
    # float32 against float64
    torch.testing.assert_close(values(steps), torch.tensor(as_numbers), rtol=1e-6, atol=1e-6)
    assert all(isinstance(value, float) and low <= value <= high for value in as_numbers)
    assert {min(as_numbers), max(as_numbers)} == {low, high}, "both extremes are met exactly"


@pytest.mark.parametrize("kind", names())
def test_a_schedule_is_a_pure_function_of_the_step(kind):
    values = schedule(EXAMPLES[kind])
    forward = [values(step) for step in range(150)]
    assert forward[::-1] == [values(step) for step in reversed(range(150))]
    assert values == schedule(EXAMPLES[kind])
    assert hash(values) == hash(schedule(EXAMPLES[kind]))


@pytest.mark.parametrize(
    ("kind", "step", "value"),
    [
        ("constant", 7, 3),
        ("linear", 0, 1),
        ("linear", 25, 2),
        ("linear", 100, 5),
        ("linear", 10_000, 5),
        ("cosine", 10, 5),
        ("cosine", 35, 1 + 4 * (1 + math.cos(math.pi / 4)) / 2),
        ("cosine", 60, 3),
        ("cosine", 110, 1),
        ("cyclical", 0, 0),
        ("cyclical", 5, 2),
        ("cyclical", 10, 4),
        ("cyclical", 19, 4),
        ("cyclical", 20, 0),
        ("cyclical", 25, 2),
        ("sigmoid", 0, 0),
        ("sigmoid", 50, 0.5),
        ("sigmoid", 100, 1),
        # the rescaled logistic, k = 12
        (
            "sigmoid",
            25,
            (1 / (1 + math.e**3) - 1 / (1 + math.e**6)) / (1 / (1 + math.e**-6) - 1 / (1 + math.e**6)),
        ),
    ],
)
def test_values(kind, step, value):
    assert schedule(EXAMPLES[kind])(step) == pytest.approx(value, rel=1e-12, abs=1e-12)


def test_a_number_is_a_constant():
    assert schedule(4)(0) == schedule(4)(10**6) == 4.0


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"schedule": "cubic", "from": 0}, "constant, cosine, cyclical, linear, sigmoid"),
        ({"from": 0, "to": 1}, "unknown schedule None"),
        ({"schedule": "linear", "from": 0, "to": 1, "stesp": 10}, "'stesp'"),
        ({"schedule": "linear", "from": 0, "to": 1}, "'steps' (updates from start to end) is missing"),
        ({"schedule": "linear", "from": 0, "to": 1, "steps": 0}, "> 0 steps, got 0"),
        ({"schedule": "linear", "from": 0, "to": 1, "steps": 5, "delay": -1}, "'delay'"),
        ({"schedule": "linear", "from": "a", "to": 1, "steps": 5}, "'a'"),
        ({"schedule": "cyclical", "from": 0, "to": 1, "period": 5, "ratio": 2}, "'ratio'"),
        (float("inf"), "finite"),
        (True, "True"),
    ],
)
def test_mistakes_are_named(value, message):
    with pytest.raises(ValueError, match="schedule") as caught:
        schedule(value)
    assert message in str(caught.value)

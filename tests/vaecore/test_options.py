"""Allowed values pass, others are errors that name the option and the value, and every value has one form."""

from __future__ import annotations

import math

import pytest

from vaecore.options import Option, complete

BETA = Option("weight", unit="nats", low=0, high=10, scheduled=True)
RATE = Option("step size", low=0, default=1e-4)
WIDTH = Option("units", low=1, default=10, whole=True)
ESTIMATOR = Option("estimator", default="a", words=("a", "b"), number=False)
SIGMA = Option("spread", above=0, words=("learned",))
HIDDEN = Option("widths", low=1, whole=True, several=True)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        (BETA, 0),
        (BETA, 10.0),
        (BETA, {"schedule": "linear", "from": 0, "to": 10, "steps": 5}),
        (RATE, 1e-3),
        (WIDTH, 12),
        (WIDTH, 12.0),
        (ESTIMATOR, "b"),
        (SIGMA, 0.1),
        (SIGMA, "learned"),
        (HIDDEN, []),
        (HIDDEN, (3, 4.0)),
    ],
)
def test_allowed_values_pass(option, value):
    option.check("name", value)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        (BETA, -1, "≥ 0 and ≤ 10 nats"),
        (BETA, 11, "got 11"),
        (BETA, math.nan, "nan"),
        (BETA, True, "True"),
        (BETA, "4", "'4'"),
        (BETA, None, "None"),
        (BETA, {"schedule": "cosine", "from": 0, "to": 11, "steps": 5}, "got 11"),
        (BETA, {"schedule": "cyclical", "from": -1, "to": 1, "period": 5}, "got -1"),
        (BETA, {"schedule": "cubic"}, "linear"),
        (RATE, {"schedule": "linear", "from": 0, "to": 1, "steps": 5}, "cannot change"),
        (WIDTH, 1.5, "whole number"),
        (ESTIMATOR, "c", "a, b"),
        (ESTIMATOR, 1, "a, b"),
        (SIGMA, 0, "> 0 or learned, got 0"),
        (SIGMA, "lerned", "lerned"),
        (HIDDEN, 3, "list of whole numbers ≥ 1, got 3"),
        (HIDDEN, [3, 0], "[3, 0]"),
        (HIDDEN, "12", "'12'"),
    ],
)
def test_other_values_are_named_errors(option, value, message):
    with pytest.raises(ValueError, match="'strength'") as caught:
        option.check("strength", value)
    assert message in str(caught.value)


def test_complete_completes_with_defaults_in_order_of_declaration():
    declared = {"beta": BETA, "rate": RATE, "estimator": ESTIMATOR}
    values = complete("family 'f'", declared, {"estimator": "b", "beta": 2})
    assert list(values.items()) == [("beta", 2), ("rate", 1e-4), ("estimator", "b")]


@pytest.mark.parametrize(
    ("values", "message"), [({}, "'beta'"), ({"beta": 1, "bta": 2}, "'bta'"), ({"beta": -1}, "-1")]
)
def test_complete_names_the_owner(values, message):
    with pytest.raises(ValueError, match="family 'f'") as caught:
        complete("family 'f'", {"beta": BETA}, values)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("option", "ways", "one"),
    [
        (BETA, [4, 4.0], 4.0),
        (WIDTH, [12, 12.0], 12),
        (SIGMA, ["learned"], "learned"),
        (HIDDEN, [(3, 4), [3, 4.0]], [3, 4]),
        (
            BETA,
            [
                {"schedule": "linear", "from": 0, "to": 4, "steps": 10},
                {"steps": 10.0, "to": 4.0, "from": 0.0, "schedule": "linear", "delay": 0},
            ],
            {"schedule": "linear", "from": 0.0, "to": 4.0, "steps": 10.0},
        ),
    ],
)
def test_all_ways_to_write_a_value_are_one(option, ways, one):
    for value in ways:
        found = option.canonical(value)
        assert (found, type(found)) == (one, type(one))

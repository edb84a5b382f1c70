"""What is allowed passes, what is not is an error that names the hyper-parameter and the value found."""

from __future__ import annotations

import math

import pytest

from vaecore.hyperparameters import Hyperparameter, check_all

BETA = Hyperparameter("weight", unit="nats", low=0, high=10, scheduled=True)
RATE = Hyperparameter("step size", low=0, default=1e-4)
WIDTH = Hyperparameter("units", low=1, default=10, whole=True)
ESTIMATOR = Hyperparameter("estimator", default="a", choices=("a", "b"))


@pytest.mark.parametrize(
    ("hyperparameter", "value"),
    [
        (BETA, 0),
        (BETA, 10.0),
        (BETA, {"schedule": "linear", "from": 0, "to": 10, "steps": 5}),
        (RATE, 1e-3),
        (WIDTH, 12),
        (WIDTH, 12.0),
        (ESTIMATOR, "b"),
    ],
)
def test_allowed_values_pass(hyperparameter, value):
    hyperparameter.check("name", value)


@pytest.mark.parametrize(
    ("hyperparameter", "value", "said"),
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
    ],
)
def test_other_values_are_named_errors(hyperparameter, value, said):
    with pytest.raises(ValueError, match="'strength'") as caught:
        hyperparameter.check("strength", value)
    assert said in str(caught.value)


def test_check_all_completes_with_defaults_in_order_of_declaration():
    declared = {"beta": BETA, "rate": RATE, "estimator": ESTIMATOR}
    complete = check_all("family 'f'", declared, {"estimator": "b", "beta": 2})
    assert list(complete.items()) == [("beta", 2), ("rate", 1e-4), ("estimator", "b")]


@pytest.mark.parametrize(
    ("given", "said"), [({}, "'beta'"), ({"beta": 1, "bta": 2}, "'bta'"), ({"beta": -1}, "-1")]
)
def test_check_all_names_the_owner(given, said):
    with pytest.raises(ValueError, match="family 'f'") as caught:
        check_all("family 'f'", {"beta": BETA}, given)
    assert said in str(caught.value)

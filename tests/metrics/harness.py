"""Calling a metric in a test: on a world of `metrics.cases`, by the names of its parameters."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np

import metrics
from metrics import cases, vocabulary
from metrics.parameters import parameters
from tests.metrics.expectations import expected

VOCABULARY = vocabulary.ARRAYS.keys()
ARRAYS = tuple(array.name for array in vocabulary.ARRAYS.values() if array.shape)
FLOATS = tuple(name for name in ARRAYS if vocabulary.ARRAYS[name].values == "real")
PER_LATENT = tuple(name for name in ARRAYS if vocabulary.ARRAYS[name].shape[-1] in "LG")

REFERENCE = ("perfect", "rotated", "trained", "collapsed")
"""The cases of shared/reference/metrics: codes, factors and the scores of the established implementation."""
NO_INTERVENTIONS = {
    "trained": (
        "15,000 rows of 737,280 combinations of factors: fresh images of chosen factors could not be encoded"
    ),
}
"""Cases without the β-VAE and the FactorVAE score, with the reason."""


def arguments(name: str) -> tuple[str, ...]:
    """The parameters of a metric that are arrays, or facts about them."""
    return parameters(name).arrays


@cache
def _world(case: str) -> dict[str, Any]:
    arrays = cases.world(case)
    for array in arrays.values():
        if isinstance(array, np.ndarray):
            array.flags.writeable = False  # writing into one would raise, in any test
    return arrays


def world(case: str = "partial") -> dict[str, Any]:
    return dict(_world(case))


def score(name: str, arrays: dict[str, Any], seed: int = 0, **settings: Any) -> dict[str, float]:
    """The metric on the arrays that it needs, with numpy's warnings as errors.

    Without settings it gets those of its expectation.
    """
    given = arrays | {"rng": np.random.default_rng(seed)}
    with warnings.catch_warnings(), np.errstate(invalid="raise"):
        warnings.simplefilter("error")
        return metrics.function(name)(
            **{argument: given[argument] for argument in arguments(name)},
            **(settings or expected(name).settings),
        )


@cache
def value(name: str, case: str) -> float:
    """The main value on a case, computed once per process: many tests compare with it."""
    return score(name, world(case))[metrics.describe(name).main]

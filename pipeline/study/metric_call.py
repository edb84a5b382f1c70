"""A metric as a study requests it: everything that its function is called with but the arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

import metrics

__all__ = ["MetricCall"]


@dataclass(frozen=True)
class MetricCall:
    """One metric of params.yaml, as :func:`pipeline.study.metric_settings.read_call` reads it."""

    name: str
    settings: Mapping[str, Any]
    """The metric's own."""
    interval: Mapping[str, Any]
    """Settings of its values' intervals (:mod:`metrics.uncertainty`); empty if none are requested."""
    arrays: frozenset[str]
    """The arrays that it needs, by their names in :mod:`metrics.vocabulary`."""

    @cached_property
    def function(self) -> Callable[..., dict[str, float]]:
        """The function itself: the first use imports its module."""
        return metrics.function(self.name)

    def __call__(self, arrays: Mapping[str, Any], rng: np.random.Generator | None = None) -> dict[str, float]:
        """Its values, and the ends of their intervals where these are requested.

        Args:
            arrays: name -> array. A setting of the same name takes precedence.
            rng: the generator of a metric that draws, and of intervals.
        """
        given = {name: array for name, array in arrays.items() if name not in self.settings}
        if self.interval:
            from metrics import uncertainty  # imports scipy.stats, a second; every stage reads params.yaml

            assert rng is not None, "resamples are drawn"
            return uncertainty.interval(self.name, given, rng, **self.interval, **self.settings)
        draws = {"rng": rng} if "rng" in self.arrays else {}
        return self.function(**given, **draws, **self.settings)

"""Continuous attributes stand in for factors in the metrics that take these as numbers, and in no other.

That they arrive there is shown by test_likelihood_grid.py, whose study has attributes.
"""

from __future__ import annotations

import pytest

import metrics
from pipeline.study.applicability import truth_of


@pytest.mark.parametrize("metric", ["r2", "mcc", "mig"])
def test_attributes_stand_in_where_factors_are_numbers(metric: str):
    assert truth_of(metric, "factors", factors=True, attributes=True) == "factors"
    stands_in = truth_of(metric, "factors", factors=False, attributes=True)
    assert stands_in == ("attributes" if metrics.describe(metric).numbers else None)
    assert truth_of(metric, "factors", factors=False, attributes=False) is None
    assert truth_of(metric, "labels", factors=False, attributes=False) == "labels"

"""The Ray task that computes one metric of one trial in a worker process. It writes nothing and needs no
torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import metrics
from metrics.vocabulary import PEER_OF
from pipeline.scoring.computation import Score, reason, score
from pipeline.study.metric_call import MetricCall

__all__ = ["score_metric"]


def score_metric(
    call: MetricCall,
    key: str,
    facts: Mapping[str, Any],
    names: Sequence[str],
    *arrays: np.ndarray,
) -> Score | str:
    """A metric of the trial ``key``, or why it has no value. It uses one thread: Ray runs several tasks.

    Args:
        facts: single values that the metric needs.
        names: of the ``arrays``: those that it needs, and held_out. An array of peers is there once for each.
    """
    try:
        given: dict[str, Any] = dict(facts)
        for name in dict.fromkeys(names):
            found = [array for other, array in zip(names, arrays, strict=True) if other == name]
            given[name] = np.stack(found) if name in PEER_OF else found[0]
        held_out = given.pop("held_out", None)
        metrics.function(call.name)  # import it: limits hold for the libraries that are loaded by then
        with threadpool_limits(1):
            return score(call, given, held_out=held_out, key=key)
    except Exception as error:
        return reason(error)

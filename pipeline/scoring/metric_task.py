"""What Ray runs in a worker process to compute one metric of one trial. It writes nothing, and needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import metrics
from pipeline.scoring.computation import Score, reason, score

__all__ = ["score_metric"]


def score_metric(
    name: str,
    settings: Mapping[str, Any],
    interval: Mapping[str, Any],
    key: str,
    facts: Mapping[str, Any],
    names: Sequence[str],
    *arrays: np.ndarray,
) -> Score | str:
    """One metric of the trial ``key``, or why it has no value, on one thread: what runs at a time is Ray's to say.

    Args:
        facts: what it takes that is no array.
        names: of the ``arrays``: what it takes, a name once for every peer, and held_out.
    """
    try:
        given: dict[str, Any] = dict(facts)
        for argument in dict.fromkeys(names):
            own = [array for other, array in zip(names, arrays, strict=True) if other == argument]
            given[argument] = np.stack(own) if argument.startswith("peer_") else own[0]
        held_out = given.pop("held_out", None)
        metrics.function(name)  # limits hold for the libraries that are loaded by then
        with threadpool_limits(1):
            return score(name, settings, given, interval=interval, held_out=held_out, key=key)
    except Exception as error:
        return reason(error)

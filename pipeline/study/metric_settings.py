"""The settings of a metric in params.yaml: its own keyword parameters, and two that every metric has.

    n_resamples   how often the metric is computed anew, each time on some of its rows, for an interval around each of its values
                  (``metrics.uncertainty``); 0, the default, asks for none
    confidence    of that interval; 0.95

A metric of images is computed batch by batch, sees no whole data set, and has neither.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import metrics
from pipeline.study.metric_inputs import BY_BATCH

__all__ = ["check", "resampling"]

RESAMPLING = ("n_resamples", "confidence")


def check(name: str, settings: Mapping[str, Any]) -> None:
    """Raises ValueError on a metric that there is not, and on a setting that it does not have."""
    known = metrics.names()
    if name not in known:
        raise ValueError(f"there is no such metric. Known: {', '.join(sorted(known))}.")
    parameters = inspect.signature(metrics.function(name)).parameters.values()
    own = [
        parameter.name
        for parameter in parameters
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.name != "test"  # an array, given to it
    ]
    by_batch = any(parameter.name in BY_BATCH for parameter in parameters)
    accepted = own if by_batch else [*own, *RESAMPLING]
    for key, value in settings.items():
        if key in RESAMPLING and by_batch:
            raise ValueError(
                f"{key!r} is for metrics of the whole data set; this one gets its images batch by batch, "
                "and has no interval of its own. Leave it out."
            )
        if key not in accepted:
            raise ValueError(f"unknown setting {key!r}. It has: {', '.join(accepted) or 'none'}.")
        if key == "n_resamples" and (
            isinstance(value, bool) or not isinstance(value, int) or value < 0 or value == 1
        ):
            raise ValueError(
                f"n_resamples: how many resamples, a whole number ≥ 2, or 0 for none; got {value!r}."
            )
        if key == "confidence" and not (
            isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1
        ):
            raise ValueError(f"confidence: a number between 0 and 1, got {value!r}.")


def resampling(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the metric's own settings, those of its interval: empty where none is asked for)."""
    own = {key: value for key, value in settings.items() if key not in RESAMPLING}
    asked = {key: settings[key] for key in RESAMPLING if key in settings}
    return own, asked if asked.get("n_resamples") else {}

"""The settings of a metric in params.yaml: its own keyword parameters, and two that every metric has.

    n_resamples   number of resamples of the rows, for an interval of each value (:mod:`metrics.uncertainty`);
                  0, the default, is no interval
    confidence    of that interval; 0.95

A metric of images is computed batch by batch. It never sees the whole data set, so it has neither of the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import metrics
from metrics.parameters import file_of, parameters
from metrics.vocabulary import Source, arrays_from
from pipeline.study.metric_call import MetricCall

__all__ = ["read_call"]

INTERVAL = ("n_resamples", "confidence")


def read_call(name: str, settings: Mapping[str, Any]) -> MetricCall:
    """The metric ``name`` with its settings in params.yaml.

    Raises:
        ValueError: no metric has this name; a setting is unknown or has a bad value; the metric's function
            has a parameter that is neither an array nor a setting, or needs images and other arrays at once.
    """
    known = metrics.names()
    if name not in known:
        raise ValueError(f"there is no such metric. Known: {', '.join(sorted(known))}.")
    has = parameters(name)
    arrays, of_images = frozenset(has.arrays), arrays_from(Source.BATCHES)
    by_batch = not arrays.isdisjoint(of_images)
    if by_batch and arrays - of_images:
        raise ValueError(
            f"{file_of(name)}: a metric of images is computed batch by batch and gets no other array, but it "
            f"needs {', '.join(sorted(arrays - of_images))}. Remove these parameters, or the images."
        )
    accepted = [*has.settings, *(() if by_batch else INTERVAL)]
    for key, value in settings.items():
        if key in INTERVAL and by_batch:
            raise ValueError(
                f"{key!r} is for metrics of the whole data set; this one gets its images batch by batch, "
                "and has no interval of its own. Leave it out."
            )
        if key not in accepted:
            raise ValueError(f"unknown setting {key!r}. It has: {', '.join(accepted) or 'none'}.")
        _check_interval(key, value)
    own = {key: value for key, value in settings.items() if key not in INTERVAL}
    interval = {key: settings[key] for key in INTERVAL if key in settings}
    return MetricCall(name, own, interval if interval.get("n_resamples") else {}, arrays)


def _check_interval(key: str, value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if key == "n_resamples" and not (number and isinstance(value, int) and (value == 0 or value >= 2)):
        raise ValueError(
            f"n_resamples: how many resamples, a whole number ≥ 2, or 0 for none; got {value!r}."
        )
    if key == "confidence" and not (number and 0 < value < 1):
        raise ValueError(f"confidence: a number between 0 and 1, got {value!r}.")

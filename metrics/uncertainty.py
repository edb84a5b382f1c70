"""Intervals of any metric: how far its value would be off on other images, from its spread over resamples.

    θ                   the metric of all N rows
    θ*_1 ... θ*_B       the metric of B resamples, each with fresh draws where the metric draws
    standard error      sqrt( 1/(B − 1) Σ_b (θ*_b − mean θ*)² )
    interval            θ ± z · standard error
    z                   normal quantile of the confidence: 1.96 for 95 %

A resample is half of the rows, drawn without replacement (`method="half"`, the default), or N rows drawn with
replacement (`"bootstrap"`). For a smooth statistic the spread over halves is that over whole fresh samples:
the variance of a mean of N/2 of N rows is σ²/(N/2) · (1 − 1/2) = σ²/N. The bootstrap puts copies of a row
beside it, and that breaks what the field measures: a probe is tested on rows that it was trained on,
distances to nearest neighbours are 0, and counted mutual information rises. It is right for means (MSE,
distortion, rate).

Both kinds of resample shift values that depend on N (mutual information, few labels). They show the spread of
such a value and not its bias, so the interval is centred on the value of all rows. The interval covers images
and draws, for one trained model. The spread over training seeds is another, usually larger one: train
several.

B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993; J. Shao, C. F. J. Wu, "A General Theory for
Jackknife Variance Estimation", Annals of Statistics 17(3), 1989 (deleting half of the rows).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import norm

import metrics
from metrics import arrays as checks
from metrics.parameters import parameters
from metrics.vocabulary import ARRAYS, PEER_OF

__all__ = ["interval"]


def interval(
    name: str,
    arrays: Mapping[str, Any],
    rng: np.random.Generator,
    *,
    n_resamples: int,
    confidence: float = 0.95,
    method: str = "half",
    **settings: Any,
) -> dict[str, float]:
    """Every value of the metric called `name`, with the ends of its interval, "<key>_low" and "<key>_high".

    arrays: parameter name -> array. n_resamples: B ≥ 2; 200 give the standard error within 5 %. confidence:
    of the interval, between 0 and 1. settings: the metric's own. The values are those of the metric called
    with `rng` alone. The main value's interval is cut to its range. A value that is infinite, on all rows or
    on a resample, has no standard error: its interval is its whole range. Raises ValueError on an unknown
    name, method or setting, on fewer than 4 rows, and whatever the metric raises on all rows or on a
    resample.
    """
    function, about = metrics.function(name), metrics.describe(name)
    rng = checks.generator(rng)
    n_resamples = checks.whole("n_resamples", n_resamples, 2, "200 give the standard error within 5 %")
    if not (isinstance(confidence, float) and 0 < confidence < 1):
        raise ValueError(
            f"confidence: expected a number between 0 and 1, got {confidence!r}; the field uses 0.95"
        )
    if method not in ("half", "bootstrap"):
        raise ValueError(f'method: expected "half" or "bootstrap", got {method!r}')
    draws = "rng" in parameters(name).arrays
    streams = rng.spawn(n_resamples)
    scores = function(**arrays, **({"rng": rng} if draws else {}), **settings)
    resampled = []
    for stream in streams:
        part = _resample(arrays, stream, method)
        resampled.append(function(**part, **({"rng": stream} if draws else {}), **settings))
    z = float(norm.ppf(0.5 + confidence / 2))
    answer = dict(scores)
    for key, score in scores.items():
        low, high = about.range if key == about.main else (-math.inf, math.inf)
        spread = np.array([values.get(key, math.nan) for values in resampled])
        if math.isfinite(score) and np.isfinite(spread).all():
            error = z * float(spread.std(ddof=1))
            low, high = max(low, score - error), min(high, score + error)
        answer |= {f"{key}_low": low, f"{key}_high": high}
    return answer


def _resample(arrays: Mapping[str, Any], rng: np.random.Generator, method: str) -> dict[str, Any]:
    """The arrays with some of their rows, the same of all that are per image.

    Held-out rows and others are drawn apart, each in their share.
    """
    part = dict(arrays)
    with_rows = {name: np.asarray(array) for name, array in arrays.items() if np.ndim(array) > 0}
    together = {name: array for name, array in with_rows.items() if ARRAYS[name].per_image}
    if together:
        counts = {ARRAYS[name].count(array) for name, array in together.items()}
        if len(counts) > 1:
            checks.same_rows(**{name: a for name, a in together.items() if name not in PEER_OF})
            raise ValueError(f"expected the same number of rows of peers and codes, got {sorted(counts)}")
        rows = _some(counts.pop(), together.get("test"), rng, method)
        part |= {name: ARRAYS[name].rows(array, rows) for name, array in together.items()}
    for name in sorted(with_rows.keys() - together.keys()):
        part[name] = with_rows[name][_some(len(with_rows[name]), None, rng, method)]
    return part


def _some(count: int, test: Any, rng: np.random.Generator, method: str) -> np.ndarray:
    """Row numbers, ascending."""
    checks.at_least("codes", count, 4)
    groups = [np.arange(count)] if test is None else [np.flatnonzero(test), np.flatnonzero(~np.asarray(test))]
    drawn = [
        rng.choice(
            group,
            len(group) if method == "bootstrap" else (len(group) + 1) // 2,
            replace=method == "bootstrap",
        )
        for group in groups
        if len(group)
    ]
    return np.sort(np.concatenate(drawn))

"""Assign trials to packs: a pack is the list of trials that one worker process trains. Ray schedules packs.

The trials of a pack are of one data set, so that they share one copy of its images. On a CPU they are also of
one family, network, number of latents, likelihood, ..., since mixing gains nothing there. On a GPU families
are mixed, and each pack gets its share of every family.

    pack: n       packs of n trials, or of fewer if some workers would get none
    pack: auto    on a CPU, packs of one trial; on a GPU, one queue per worker and data set, of which the
                  worker trains as many at a time as pay (``pipeline.training.pack_size``)

Results do not depend on the assignment, so a resumed study may pack the remaining trials differently. Trials
whose device failed while k of them trained on it go into packs of their own, of at most k/2 trials.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline.study.identity import MODEL
from pipeline.study.params import Scheduling
from pipeline.study.trial import Trial

__all__ = ["assign", "limit_after"]

LONGEST = 64
"""Trials of a queue. No other worker can train a trial from it, so a queue must not be too long."""


def assign(
    trials: Sequence[Trial],
    work: Callable[[Trial], float],
    scheduling: Scheduling,
    *,
    slots: int,
    failures: Mapping[str, Mapping[str, Any]],
) -> list[list[Trial]]:
    """Packs that hold every trial once, the pack with the most work first.

    Args:
        trials: in the order in which a pack trains them.
        work: the amount of computation of a trial, in any unit.
        slots: number of worker processes that the cluster runs at a time.
        failures: trial key -> its failure.json, for trials that have failed.
    """
    on_gpu = scheduling.gpu > 0
    groups: dict[str, list[Trial]] = {}
    limits: dict[str, int | None] = {}
    for trial in trials:
        limit = limit_after(failures.get(trial.key))
        alike = [] if on_gpu else [trial.family, trial.latents, *(getattr(trial, name) for name in MODEL)]
        # Untrained baselines end as soon as they start: a pack of n with baselines would train fewer than n.
        group = json.dumps([trial.dataset, trial.untrained, *alike, limit], sort_keys=True)
        groups.setdefault(group, []).append(trial)
        limits[group] = limit
    packs = []
    for group, members in groups.items():
        if scheduling.pack != "auto":
            size = min(scheduling.pack, math.ceil(len(trials) / slots))
        else:
            size = min(LONGEST, math.ceil(len(members) / slots)) if on_gpu else 1
        number = math.ceil(len(members) / min(size, limits[group] or size))
        packs += [members[start::number] for start in range(number)]  # each gets its share of every family
    return sorted(packs, key=lambda pack: -sum(work(trial) for trial in pack))


def limit_after(failure: Mapping[str, Any] | None) -> int | None:
    """How many trials may train side by side after a failure; None if the device did not cause it.

    Args:
        failure: the content of failure.json; None if the trial has not failed.
    """
    together = (failure or {}).get("together")
    return None if together is None else max(1, together // 2)

"""Which trials train in one worker process, one after the other or side by side: a pack, which is what Ray schedules.

A pack is of one data set, so that its trials share one copy of the images. On a CPU, where trials of one shape share more than that and nothing
is gained by mixing, it is also of one family, number of latents, network, likelihood, ...; on a GPU families mix, and each pack gets its share of each.

    pack: n       packs of n trials, of fewer where otherwise workers would have none
    pack: auto    on a CPU packs of one; on a GPU every worker gets a queue of each data set, of which it trains as many at a time as pays
                  (``pipeline.training.pack_size``)

Results do not depend on who is packed with whom, so a study that is resumed may pack what remains in another way. Trials whose device failed
while k of them trained on it are packed apart, at most k/2 together.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline.study.identity import MODEL
from pipeline.study.params import Scheduling
from pipeline.study.trial import Trial

__all__ = ["packs", "smaller"]

LONGEST = 64
"""Trials of a queue: what one worker takes on at once, and no other can take from it."""


def packs(
    trials: Sequence[Trial],
    work: Callable[[Trial], float],
    scheduling: Scheduling,
    *,
    slots: int,
    failures: Mapping[str, Mapping[str, Any]],
) -> list[list[Trial]]:
    """Every trial in one pack, the packs with the most work first.

    Args:
        trials: in the order in which a pack is to train them.
        work: how much a trial takes, in any unit.
        slots: worker processes that the cluster runs at a time.
        failures: trial key -> its failure.json, where there is one.
    """
    on_gpu = scheduling.gpu > 0
    groups: dict[str, list[Trial]] = {}
    limits: dict[str, int | None] = {}
    for trial in trials:
        limit = smaller(failures.get(trial.key))
        alike = [] if on_gpu else [trial.family, trial.latents, *(getattr(trial, name) for name in MODEL)]
        # baselines, which end as they start, would leave a pack of n with fewer that train
        group = json.dumps([trial.dataset, trial.untrained, *alike, limit], sort_keys=True)
        groups.setdefault(group, []).append(trial)
        limits[group] = limit
    packed = []
    for group, members in groups.items():
        if scheduling.pack != "auto":
            size = min(scheduling.pack, math.ceil(len(trials) / slots))
        else:
            size = min(LONGEST, math.ceil(len(members) / slots)) if on_gpu else 1
        number = math.ceil(len(members) / min(size, limits[group] or size))
        packed += [members[start::number] for start in range(number)]  # to each its share of every kind
    return sorted(packed, key=lambda pack: -sum(work(trial) for trial in pack))


def smaller(failure: Mapping[str, Any] | None) -> int | None:
    """How many may train side by side after a failure.json; None where the device had no part in it, or there was none."""
    together = (failure or {}).get("together")
    return None if together is None else max(1, together // 2)

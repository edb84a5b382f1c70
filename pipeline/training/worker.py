"""The function that Ray runs in a worker process: train a pack of trials and report to the driver.

It imports little, so that a worker starts quickly.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ray import tune

from pipeline.cluster.shares import device_of, side_by_side, threads_of
from pipeline.store.layout import Store
from pipeline.study.params import Scheduling
from pipeline.study.trial import Trial
from pipeline.training.pack import Event, Pack

__all__ = ["trainable"]

REPORT_SECONDS = 1.0
"""Least time between two reports of progress. The start and the end of a trial are reported at once."""


def trainable(
    config: Mapping[str, Any], *, root: str, scheduling: Mapping[str, Any], last_attempt: Mapping[str, int]
) -> None:
    """Train ``config["trials"]`` in the store at ``root`` and report the events to the driver.

    An error of the pack is raised, so that Ray starts it again in a new process, with the remaining trials.
    """
    shares = Scheduling(**scheduling)
    torch.set_num_threads(threads_of(shares))
    pack = Pack(
        [Trial.from_config(trial) for trial in config["trials"]],
        Store(Path(root)),
        device=device_of(shares),
        side_by_side=side_by_side(shares),
        checkpoint_seconds=shares.checkpoint_seconds,
        last_attempt=last_attempt,
    )
    rows: dict[str, Event] = {}  # trial key -> its last row that is not reported yet
    reported = 0.0
    for events in pack.rounds():
        rows |= {event.key: event for event in events if event.kind == "row"}
        others = [event for event in events if event.kind != "row"]
        if others or time.monotonic() - reported >= REPORT_SECONDS:
            tune.report({"events": [*rows.values(), *others]})
            rows = {}
            reported = time.monotonic()
    tune.report({"events": list(rows.values())})

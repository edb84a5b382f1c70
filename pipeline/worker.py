"""What Ray runs in a worker process: one trial. It imports no more than that takes, so that a worker starts quickly."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ray import tune

from pipeline.cluster import device_of, threads_of
from pipeline.params import Scheduling
from pipeline.store import Store
from pipeline.trial import Trial, run

__all__ = ["trainable"]

REPORT_SECONDS = 1.0
"""At most so often a trial tells the driver how far it is."""


def trainable(config: Mapping[str, Any], *, root: str, scheduling: Mapping[str, Any]) -> None:
    """Train ``config["trial"]`` to its end or its failure, in the store at ``root``; report the step now and then."""
    shares = Scheduling(**scheduling)
    trial = Trial.from_config(config["trial"])
    torch.set_num_threads(threads_of(shares))
    reported = 0.0
    rows = run(
        trial, Store(Path(root)), device=device_of(shares), checkpoint_seconds=shares.checkpoint_seconds
    )
    for step, terms in rows:
        if time.monotonic() - reported >= REPORT_SECONDS:
            tune.report({"step": step, "distortion": terms["distortion"], "rate": terms["rate"]})
            reported = time.monotonic()
    tune.report({"step": trial.training.steps})

"""What Ray runs in a worker process to evaluate one trial. It writes nothing: the driver does."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from pipeline import pictures
from pipeline.cluster import device_of, threads_of
from pipeline.params import Scheduling
from pipeline.scoring import Data, score
from pipeline.store import Store
from pipeline.trial import Trial, images_of, load_model

__all__ = ["Outcome", "evaluate_trial"]


@dataclass(frozen=True)
class Outcome:
    """What evaluating a trial gave."""

    scores: dict[str, dict[str, Any]]
    """Metric -> its values, split and seconds."""
    pictures: dict[str, bytes]
    failures: dict[str, str]
    """Metric -> why it has no value."""
    seconds: float


def evaluate_trial(
    config: Mapping[str, Any],
    wanted: Mapping[str, Mapping[str, Any]],
    *,
    draw: bool,
    root: str,
    batch_size: int,
    scheduling: Mapping[str, Any],
) -> Outcome:
    """The metrics ``wanted`` (name -> settings) of a finished trial, and its pictures."""
    began = time.perf_counter()
    shares = Scheduling(**scheduling)
    torch.set_num_threads(threads_of(shares))
    store, trial = Store(Path(root)), Trial.from_config(config)
    ready = store.read_ready(trial.dataset)
    family, images = load_model(trial, ready, store), images_of(ready)
    data = Data(images, ready.factors, ready.labels, ready.test)
    drawn = pictures.draw(family, images, data.held_out) if draw else {}
    scores: dict[str, dict[str, Any]] = {}
    failures: dict[str, str] = {}
    if wanted:
        found, failures = score(
            family, data, wanted, key=trial.key, batch_size=batch_size, device=device_of(shares)
        )
        scores = {name: asdict(value) for name, value in found.items()}
    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # other trials share the device, and this process stays
    return Outcome(scores, drawn, failures, time.perf_counter() - began)

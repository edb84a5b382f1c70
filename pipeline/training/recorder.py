"""What the driver tells of a study while it trains, and to whom: the interface of a tracker of runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import pandas as pd

from pipeline.study.trial import Trial

__all__ = ["Recorder"]


class Recorder(Protocol):
    """Keeps runs; ``pipeline.tracking.tracker`` does so in MLflow."""

    def start_trial(self, trial: Trial) -> None:
        """The trial starts to train."""

    def finish_trial(self, trial: Trial, result: Mapping[str, Any], history: pd.DataFrame) -> None:
        """The trial has a result."""

    def fail_trial(self, trial: Trial, reason: str) -> None:
        """The trial ended without a result."""

"""The interface through which the driver records the trials of a study while it trains them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import pandas as pd

from pipeline.study.trial import Trial

__all__ = ["Recorder"]


class Recorder(Protocol):
    """Keeps a record of each trial; ``pipeline.tracking.tracker`` keeps it in MLflow."""

    def start_trial(self, trial: Trial) -> None:
        """The trial has started to train."""

    def finish_trial(self, trial: Trial, result: Mapping[str, Any], history: pd.DataFrame) -> None:
        """The trial has a result: it is finished, or it diverged."""

    def fail_trial(self, trial: Trial, reason: str) -> None:
        """The trial has ended without a result."""

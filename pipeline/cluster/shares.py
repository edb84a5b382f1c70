"""What one worker process may use of a machine: its device, its threads, the trials that it trains side by side."""

from __future__ import annotations

from pipeline.study.params import Scheduling

__all__ = ["device_of", "side_by_side", "threads_of"]


def device_of(scheduling: Scheduling) -> str:
    """Where a trial's tensors live."""
    return "cuda" if scheduling.gpu > 0 else "cpu"


def side_by_side(scheduling: Scheduling) -> int | None:
    """How many trials a worker trains at a time; None where it is to find out (``pipeline.training.pack_size``)."""
    if scheduling.pack != "auto":
        return scheduling.pack
    return None if scheduling.gpu > 0 else 1


def threads_of(scheduling: Scheduling) -> int:
    """Threads of one worker process, which its trials use in turn: its share of the cores, at least one."""
    return max(1, int(scheduling.cpu))

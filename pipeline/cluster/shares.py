"""The share of a machine that one worker process uses: device, threads, number of trials at a time."""

from __future__ import annotations

from pipeline.study.params import Scheduling

__all__ = ["device_of", "side_by_side", "threads_of"]


def device_of(scheduling: Scheduling) -> str:
    """The PyTorch device on which a worker computes."""
    return "cuda" if scheduling.gpu > 0 else "cpu"


def side_by_side(scheduling: Scheduling) -> int | None:
    """Number of trials that a worker trains at a time; None lets ``pipeline.training.pack_size`` find it."""
    if scheduling.pack != "auto":
        return scheduling.pack
    return None if scheduling.gpu > 0 else 1


def threads_of(scheduling: Scheduling) -> int:
    """Threads of one worker process: its share of the cores, at least one. Its trials use them in turn."""
    return max(1, int(scheduling.cpu))

"""One process of a group: prepares a contestant, and runs it in windows of time that the whole group starts
together.

    request        reply
    "prepare"      {"per_step", "precision"}, after a warm-up
    "measure"      {"steps", "seconds"} of a window of the requested seconds
    "memory"       {"host_bytes", "device_bytes"}: the peak of memory so far
    (closed)       none; the process ends

Each process counts the steps of its own window. It goes on until the last window of the group is over, so
that no process has the machine to itself.
"""

from __future__ import annotations

import resource
import sys
import time
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import torch

from benchmarks.command import reason
from benchmarks.contestants import Contestant, Spec, prepare

__all__ = ["main"]

WARM_UP_CHUNKS = 2
PATIENCE = 60.0
"""Seconds to wait for the other processes of a group."""


def main(
    connection: Connection,
    barrier: Barrier,
    finished: Synchronized[int],
    threads: int,
    device: str,
    folder: Path,
) -> None:
    """Reply to requests until the connection is closed."""
    torch.set_num_threads(threads)
    if device == "cuda":
        torch.zeros(1, device=device)
    connection.send({})
    state: tuple[Contestant, Spec] | None = None
    while True:
        try:
            request, argument = connection.recv()
        except (EOFError, OSError):
            return
        try:
            if request == "prepare":
                contestant = prepare(argument, folder)
                for _ in range(WARM_UP_CHUNKS):
                    contestant.run(argument.chunk)
                state = contestant, argument
                reply: dict[str, Any] = {
                    "per_step": contestant.per_step,
                    "precision": contestant.precision,
                }
            elif request == "measure":
                assert state is not None
                reply = measure(*state, argument, barrier, finished)
            else:
                reply = memory(device)
        except Exception as error:  # the other side reports it and goes on with the other groups
            barrier.abort()
            reply = {"failed": reason(error)}
        connection.send(reply)


def measure(
    contestant: Contestant, spec: Spec, seconds: float, barrier: Barrier, finished: Synchronized[int]
) -> dict[str, Any]:
    """Steps and seconds of a window of at least ``seconds``."""
    steps = 0
    barrier.wait(PATIENCE)
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        contestant.run(spec.chunk)
        steps += spec.chunk
    with finished.get_lock():
        finished.value += 1
    limit = time.perf_counter() + PATIENCE  # another process of the group may have been killed
    while finished.value < barrier.parties and not barrier.broken and time.perf_counter() < limit:
        contestant.run(spec.chunk)
    return {"steps": steps, "seconds": elapsed}


def memory(device: str) -> dict[str, Any]:
    """Peaks of memory in bytes; that of a GPU is what PyTorch's allocator has reserved."""
    return {
        "host_bytes": _peak_of_this_process(),
        "device_bytes": torch.cuda.max_memory_reserved() if device == "cuda" else None,
    }


def _peak_of_this_process() -> int:
    # ru_maxrss starts at the peak of the parent at the time of the start; Linux's VmHWM starts at zero
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

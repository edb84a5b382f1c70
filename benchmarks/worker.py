"""One process of a group: prepares a contestant, and runs it over windows of time that start together in all of the group.

    asks           answers
    "prepare"      what it is, after a warm-up                             {"per_step", "precision"}
    "measure"      how far it came in a window of so many seconds          {"steps", "seconds"}
    "memory"       the most memory it has taken                            {"host_bytes", "device_bytes"}
    (hung up)      the process ends

Each process counts the steps of its own window, and goes on until the last one's is over, so that none of them has the machine to itself.
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

from benchmarks.contestants import Contestant, Spec, prepare

__all__ = ["main"]

WARM_UP_CHUNKS = 2
PATIENCE = 60.0
"""Seconds to wait for the others of a group."""


def main(
    connection: Connection,
    barrier: Barrier,
    finished: Synchronized[int],
    threads: int,
    device: str,
    folder: Path,
) -> None:
    """Answer until the other side hangs up."""
    torch.set_num_threads(threads)
    if device == "cuda":
        torch.zeros(1, device=device)
    connection.send({})
    state: tuple[Contestant, Spec] | None = None
    while True:
        try:
            question, argument = connection.recv()
        except (EOFError, OSError):
            return
        try:
            if question == "prepare":
                contestant = prepare(argument, folder)
                for _ in range(WARM_UP_CHUNKS):
                    contestant.run(argument.chunk)
                state = contestant, argument
                answer: dict[str, Any] = {
                    "per_step": contestant.per_step,
                    "precision": contestant.precision,
                }
            elif question == "measure":
                assert state is not None
                answer = measure(*state, argument, barrier, finished)
            else:
                answer = memory(device)
        except Exception as error:  # told to the other side, which goes on with the others
            barrier.abort()
            answer = {"failed": reason(error)}
        connection.send(answer)


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
    limit = time.perf_counter() + PATIENCE  # one of the group may have been killed
    while finished.value < barrier.parties and not barrier.broken and time.perf_counter() < limit:
        contestant.run(spec.chunk)
    return {"steps": steps, "seconds": elapsed}


def reason(error: Exception) -> str:
    """One line that says what went wrong."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return "out of memory"
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:120]}"


def memory(device: str) -> dict[str, Any]:
    """Peaks in bytes; of the device, what PyTorch's allocator reserved."""
    return {
        "host_bytes": _peak_of_this_process(),
        "device_bytes": torch.cuda.max_memory_reserved() if device == "cuda" else None,
    }


def _peak_of_this_process() -> int:
    # ru_maxrss of a process starts at what its parent had when it was started; Linux also says it without that
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

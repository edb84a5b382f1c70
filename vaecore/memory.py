"""Memory: what is kept for the next step, what is still free, and how one tells that it ran out.

A training step frees what the next one allocates again, in blocks of megabytes (activations, gradients, bfloat16 copies of weights). The GNU
C library returns such blocks to the system at once, and the system has to clear every page of the next ones: FactorVAE's critic of
6×1000 units spent 17 of 57 ms per step in that way (in bfloat16, on one core of an AMD EPYC). ``keep_freed_memory`` raises the two
thresholds above which that happens, for this process. Where the C library is another one, it does nothing. It changes no result.

    free on a GPU    what the driver has left, once PyTorch has given back what it holds unused
    free on a CPU    min(MemAvailable, limit - use of every control group that the process is in), of which Linux tells
"""

from __future__ import annotations

import ctypes
import re
import sys
from pathlib import Path

import torch

__all__ = ["device_failure", "free_memory", "keep_freed_memory"]

# names and numbers of malloc.h
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT = 1 << 30
LARGEST_BLOCK = 1 << 30
LARGEST_BLOCK_OF_OLD_RELEASES = 32 << 20

DEVICE_ERRORS: tuple[type[BaseException], ...] = (
    torch.OutOfMemoryError,
    MemoryError,
    *([torch.AcceleratorError] if hasattr(torch, "AcceleratorError") else []),  # since PyTorch 2.8
)
DEVICE_WORDS = re.compile(
    r"CUDA (driver )?error|CUDA out of memory|CUBLAS_STATUS_|CUDNN_STATUS_|No CUDA GPUs are available"
    r"|can't allocate memory|DefaultCPUAllocator: not enough memory"
)
"""What a RuntimeError says that means the same: older releases have no type of their own for it, and the CPU's allocator none at all."""


def keep_freed_memory() -> bool:
    """Let the allocator keep up to a gigabyte of freed memory for reuse; whether it could be told so."""
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return False
    # a release that refuses the first block size takes the second
    blocks = mallopt(M_MMAP_THRESHOLD, LARGEST_BLOCK) or mallopt(
        M_MMAP_THRESHOLD, LARGEST_BLOCK_OF_OLD_RELEASES
    )
    return bool(blocks and mallopt(M_TRIM_THRESHOLD, KEPT))


def free_memory(device: torch.device | str) -> int | None:
    """Bytes that could be allocated on ``device`` now; None where the system does not tell.

    On a GPU, what PyTorch's allocator holds unused goes back to the driver first. To add it up instead would count the memory of captured
    steps: between two replays it looks unused, and no one else may have it.
    """
    device = torch.device(device)
    if device.type == "cuda":
        torch.cuda.empty_cache()
        return torch.cuda.mem_get_info(device)[0]
    if device.type != "cpu":
        return None
    known = [free for free in (_available(Path("/")), _left_by_groups(Path("/"))) if free is not None]
    return min(known) if known else None


def device_failure(error: BaseException) -> bool:
    """Whether ``error``, or what it was raised for, is a device that ran out of memory or was lost: not the trial's own doing."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, DEVICE_ERRORS):
            return True
        if isinstance(cause, RuntimeError) and DEVICE_WORDS.search(str(cause)):
            return True
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return False


def _available(root: Path) -> int | None:
    """MemAvailable of /proc/meminfo: free, or taken by caches that give way."""
    try:
        found = re.search(r"^MemAvailable:\s*(\d+) kB", (root / "proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def _left_by_groups(root: Path) -> int | None:
    """What the control groups around this process (versions 2 and 1) leave of their limits; None without a limit."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    left: list[int] = []
    for line in lines:  # 0::/user.slice/job  or  9:memory:/docker/0123
        _, controllers, path = line.split(":", 2)
        if not controllers:
            mounted = root / "sys/fs/cgroup"
            limit, use, cached = "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            mounted = root / "sys/fs/cgroup/memory"
            limit, use, cached = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
        else:
            continue
        own = mounted / path.strip("/")
        # the limits of groups further out hold too; within a container the group's own path may not be there, its mount is
        for folder in (own, *own.parents):
            if folder != mounted and mounted not in folder.parents:
                break
            try:
                allowed, used = (folder / limit).read_text().strip(), int((folder / use).read_text())
                statistics = (folder / "memory.stat").read_text()
            except (OSError, ValueError):
                continue
            if allowed.isdigit():  # and not "max"
                gives_way = re.search(rf"^{cached} (\d+)$", statistics, re.MULTILINE)
                left.append(max(0, int(allowed) - used + (int(gives_way[1]) if gives_way else 0)))
    return min(left, default=None)

"""Memory of a device: how much is free, how to keep freed blocks, and which errors mean that it ran out.

A training step frees blocks of megabytes that the next step allocates again: activations, gradients, bfloat16
copies of weights. The GNU C library returns such blocks to the system at once, and the system clears every
page of the next ones: FactorVAE's critic of 6×1000 units spent 17 of 57 ms per step in that way (in bfloat16,
on one core of an AMD EPYC). ``keep_freed_memory`` raises the two thresholds above which that happens, for
this process. With another C library it does nothing. No result changes.

    free on a GPU    the driver's free memory, after PyTorch has returned what it does not use
    free on a CPU    min(MemAvailable, limit - use of every control group of this process), from Linux
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
"""Messages of RuntimeErrors with the same meaning: the CPU's allocator and older releases raise these."""


def keep_freed_memory() -> bool:
    """Let the allocator keep up to a gigabyte of freed memory for reuse; return whether it agreed."""
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return False
    # a release that refuses the first block size accepts the second
    blocks = mallopt(M_MMAP_THRESHOLD, LARGEST_BLOCK) or mallopt(
        M_MMAP_THRESHOLD, LARGEST_BLOCK_OF_OLD_RELEASES
    )
    return bool(blocks and mallopt(M_TRIM_THRESHOLD, KEPT))


def free_memory(device: torch.device | str) -> int | None:
    """Bytes that could be allocated on ``device`` now; None if the system does not report them.

    On a GPU, PyTorch's allocator first returns its unused memory to the driver. Adding up the unused memory
    instead would count the memory of captured steps: it looks unused between two replays, and nothing else
    may use it.
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
    """Whether ``error`` or its cause is a device that ran out of memory or was lost, no fault of a trial."""
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
    """MemAvailable of /proc/meminfo: free memory, and caches that can be dropped."""
    try:
        found = re.search(r"^MemAvailable:\s*(\d+) kB", (root / "proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def _left_by_groups(root: Path) -> int | None:
    """Bytes left below the limits of this process's control groups (versions 1 and 2); None without any."""
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
        # outer groups' limits hold too; in a container the group's own path may be missing, but not its mount
        for folder in (own, *own.parents):
            if folder != mounted and mounted not in folder.parents:
                break
            try:
                allowed, used = (folder / limit).read_text().strip(), int((folder / use).read_text())
                statistics = (folder / "memory.stat").read_text()
            except (OSError, ValueError):
                continue
            if allowed.isdigit():  # and not "max"
                cache = re.search(rf"^{cached} (\d+)$", statistics, re.MULTILINE)
                left.append(max(0, int(allowed) - used + (int(cache[1]) if cache else 0)))
    return min(left, default=None)

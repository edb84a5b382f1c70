"""Freed blocks are reused without a page fault, free memory is read, and its exhaustion is recognised."""

from __future__ import annotations

import platform
import resource
import sys
from pathlib import Path

import pytest
import torch

from vaecore.memory import _available, _left_by_groups, device_failure, free_memory, keep_freed_memory


def test_large_blocks_are_reused():
    could = keep_freed_memory()
    if platform.libc_ver()[0] != "glibc":
        assert not could
        pytest.skip("only the GNU C library can keep freed memory")
    assert could
    size = 4 << 20  # bytes: 1024 pages

    def allocate() -> None:
        _ = [torch.ones(size // 4) for _ in range(8)]

    allocate()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        allocate()
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    assert faults < 10 * 8 * 1024 / 10, (
        "fewer than a tenth of the pages that were written; other work of the process causes some"
    )


def test_free_memory_of_this_machine():
    free = free_memory("cpu")
    if sys.platform == "linux":
        assert free is not None
        assert 0 <= free < 1 << 50
    assert free_memory("meta") is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_unused_memory_of_the_allocator_is_free_memory_of_a_gpu():
    before = free_memory("cuda")
    block = torch.empty(1 << 28, dtype=torch.uint8, device="cuda")
    assert free_memory("cuda") <= before - (1 << 28)
    del block
    assert free_memory("cuda") >= before - (1 << 22)


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def test_available_memory_of_linux(tmp_path: Path):
    assert _available(tmp_path) is None
    assert (
        _available(write(tmp_path, {"proc/meminfo": "MemFree: 1 kB\nMemAvailable:    2048 kB\n"})) == 2 << 20
    )


VERSION_2 = {
    "proc/self/cgroup": "0::/jobs/mine\n",
    "sys/fs/cgroup/jobs/mine/memory.max": "max\n",
    "sys/fs/cgroup/jobs/mine/memory.current": "300\n",
    "sys/fs/cgroup/jobs/mine/memory.stat": "inactive_file 0\n",
    "sys/fs/cgroup/jobs/memory.max": "1000\n",
    "sys/fs/cgroup/jobs/memory.current": "700\n",
    "sys/fs/cgroup/jobs/memory.stat": "active_file 50\ninactive_file 100\n",
}
VERSION_1 = {
    # the path outside the container, which does not exist inside
    "proc/self/cgroup": "9:cpu,cpuacct:/docker/0123\n8:memory:/docker/0123\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": "1000\n",
    "sys/fs/cgroup/memory/memory.usage_in_bytes": "700\n",
    "sys/fs/cgroup/memory/memory.stat": "inactive_file 1\ntotal_inactive_file 100\n",
}


@pytest.mark.parametrize("files", [VERSION_2, VERSION_1], ids=["version 2", "version 1"])
def test_the_tightest_control_group_counts_and_its_cache_does_not(tmp_path: Path, files: dict[str, str]):
    assert _left_by_groups(tmp_path) is None
    assert _left_by_groups(write(tmp_path, files)) == 1000 - 700 + 100


def test_control_groups_without_a_limit_do_not_count(tmp_path: Path):
    assert _left_by_groups(write(tmp_path, {"proc/self/cgroup": "0::/\n"})) is None
    unlimited = {name: "max" if name.endswith(".max") else text for name, text in VERSION_2.items()}
    assert _left_by_groups(write(tmp_path, unlimited)) is None


def chained() -> Exception:
    """An error such as ``Training.load_state_dict`` raises."""
    try:
        try:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB")
        except RuntimeError as error:
            raise ValueError(f"a training state does not fit: {error}") from None
    except ValueError as error:
        return error


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB"),
        MemoryError("no room"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory"
        ),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR"),
        RuntimeError("No CUDA GPUs are available"),
        chained(),
    ],
    ids=lambda error: str(error)[:30],
)
def test_a_device_failure_is_recognised(error: Exception):
    assert device_failure(error)


def test_the_cpu_allocator_and_newer_releases_are_recognised():
    with pytest.raises(RuntimeError) as error:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert device_failure(error.value)
    if hasattr(torch, "AcceleratorError"):
        assert device_failure(torch.AcceleratorError("device-side assert"))


@pytest.mark.parametrize(
    "error", [RuntimeError("mat1 and mat2 shapes"), ValueError("CUDA error"), OSError(28, "full")]
)
def test_other_errors_are_the_trials_own(error: Exception):
    assert not device_failure(error)

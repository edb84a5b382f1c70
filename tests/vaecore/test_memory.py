"""Freed blocks are used again without a page fault, where the C library is the GNU one."""

from __future__ import annotations

import platform
import resource

import pytest
import torch

from vaecore.memory import keep_freed_memory


def test_large_blocks_are_reused():
    could = keep_freed_memory()
    if platform.libc_ver()[0] != "glibc":
        assert not could
        pytest.skip("only the GNU C library is told to keep memory")
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
        "a tenth of the pages that were written: the rest is other work of the process"
    )

"""Memory that is reused: arrays for intermediate results, found by name, in place of a fresh array each time.

The operating system provides a fresh array of more than about 100 kB page by page. Each page costs an
interrupt, and none is in the processor's cache. If the arithmetic is a few operations per number, that costs
several times as much as the arithmetic.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["Scratch"]


class Scratch:
    """Arrays with undefined content. A new one overwrites the last of its name. Not for several threads."""

    def __init__(self) -> None:
        self._memory: dict[str, NDArray[np.uint8]] = {}
        self._numbers = np.arange(0)

    def __call__(self, name: str, *shape: int, dtype: DTypeLike = np.float64) -> NDArray[Any]:
        """The array `name` with this shape and type."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        memory = self._memory.get(name)
        if memory is None or len(memory) < size:
            memory = self._memory[name] = np.empty(size + size // 4, dtype=np.uint8)
        return memory[:size].view(dtype).reshape(shape)

    def numbers(self, count: int) -> NDArray[np.intp]:
        """0 ... count − 1, not to be written to."""
        if len(self._numbers) < count:
            self._numbers = np.arange(count + count // 4)
        return self._numbers[:count]

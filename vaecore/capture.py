"""CUDA graphs: a training step is recorded once and replayed.

A step of these models is some two hundred kernels of a few microseconds each. Launched one by one from Python
they leave a GPU idle most of the time; recorded as one graph, a step costs one launch. A recorded step
repeats the same operations on the same tensors, so everything that changes from step to step lies in tensors:
a counter, scheduled values, the generator's state.

The first steps run without recording, so that the libraries choose algorithms and the optimizer creates its
moments. They are steps of the run like all others. Random numbers continue through the recording: a graph
advances the generator as its kernels would.

Every replayed function has its own stream and its own memory pool, so that several run side by side on one
device.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

__all__ = ["Replayed"]

WARM_UP = 3
"""The number of steps before the recording."""


class Replayed:
    """Calls a function on CUDA tensors, without arguments or result; after the first calls it is replayed."""

    def __init__(self, generator: torch.Generator) -> None:
        """``generator``: the function draws random numbers from it and runs on its device."""
        self.generator = generator
        self.stream = torch.cuda.Stream(generator.device)
        self.graph: torch.cuda.CUDAGraph | None = None
        self.warm_up = WARM_UP

    def __call__(self, step: Callable[[], None]) -> None:
        """One ``step``, the same function every time, queued on the stream."""
        # `step` is not stored: it refers to the owner of this object, and a cycle would keep both in memory
        if self.graph is None:
            with self.on_stream():
                if self.warm_up:
                    self.warm_up -= 1
                    with warnings.catch_warnings():  # the optimizer warns that it is not being captured
                        warnings.filterwarnings("ignore", message=".*capturable=True", category=UserWarning)
                        step()
                    return
                self.graph = self._record(step)
        with torch.cuda.stream(self.stream):
            self.graph.replay()

    @contextmanager
    def on_stream(self) -> Iterator[None]:
        """Queue the block's work on this step's stream, after the work that the caller has queued."""
        self.stream.wait_stream(torch.cuda.current_stream(self.stream.device))
        # always the same algorithms: the same bits from the same state
        with (
            torch.cuda.stream(self.stream),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
        ):
            yield

    def _record(self, step: Callable[[], None]) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self.generator)
        with torch.cuda.graph(graph, stream=self.stream):
            step()  # recorded, not run
        return graph

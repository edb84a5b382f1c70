"""CUDA graphs: a training step recorded once and replayed.

A step of these models is some two hundred kernels of a few microseconds; launched one by one from Python they leave a GPU idle most of
the time. Recorded as one graph, a step costs one launch. It must be the same operations on the same tensors every time; what changes
from step to step lies in tensors (a counter, scheduled values, the generator's state).

The first steps run as they are written, so that the libraries choose algorithms and the optimizer makes its moments; they are steps of the
run like all others. Random numbers go on through the recording: a graph advances the generator as the kernels in it would.

Every replayed function has a stream of its own, so that several run side by side on one device, each with its own memory pool.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

__all__ = ["Replayed"]

WARM_UP = 3
"""Steps before the recording."""


class Replayed:
    """A function without arguments and result, that works on CUDA tensors, replayed after its first calls."""

    def __init__(self, generator: torch.Generator) -> None:
        """``generator``: what the function draws random numbers from; its device is the function's."""
        self.generator = generator
        self.stream = torch.cuda.Stream(generator.device)
        self.graph: torch.cuda.CUDAGraph | None = None
        self.warm_up = WARM_UP

    def __call__(self, step: Callable[[], None]) -> None:
        """One ``step``, the same function every time, queued on the stream."""
        # not kept: an owner that keeps this would be kept by it, and its memory with it
        if self.graph is None:
            with self.on_stream():
                if self.warm_up:
                    self.warm_up -= 1
                    with warnings.catch_warnings():  # the optimizer wonders why it is not being recorded
                        warnings.filterwarnings("ignore", message=".*capturable=True", category=UserWarning)
                        step()
                    return
                self.graph = self._record(step)
        with torch.cuda.stream(self.stream):
            self.graph.replay()

    @contextmanager
    def on_stream(self) -> Iterator[None]:
        """Queue what the block does after what was queued outside before, on this step's stream."""
        self.stream.wait_stream(torch.cuda.current_stream(self.stream.device))
        # one algorithm whatever the day: the same bits from the same state
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

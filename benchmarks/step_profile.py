"""Where the time of a training step goes: ``python -m benchmarks.step_profile`` (``make profile``).

Profiles warm steps of the study's model by torch.profiler, prints a table of groups of operations, and writes the trace for a browser
(chrome://tracing, ui.perfetto.dev) to benchmarks/traces/. On a CPU an operation's time is its own, without those that it calls; on a GPU it is
that of its kernels. What is left of the wall time, "Python and waiting", is the interpreter's and, on a GPU, the launches'.

A profiler must not slow what it shows. On a CPU it may: what it records takes memory between a step's large blocks, so that freed blocks go
back to the system and every page of the next ones is cleared again, which has made a ReLU of 4 MB look many times as slow. Here the
process keeps freed memory, and has a gigabyte of it before profiling starts. (So has a script that is profiled, which does not keep it else.) The table says how long a step took with and without the profiler;
beyond 15 % do not trust it.

(Not named ``profile``: that is a module of Python's own.)
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from benchmarks import machine, sprites, study_model
from benchmarks.contestants import Contestant, Spec, prepare
from benchmarks.table import table
from vaecore.memory import keep_freed_memory

__all__ = ["CPU_GROUPS", "CUDA_GROUPS", "group_of", "main"]

TRACES = Path(__file__).parent / "traces"
TRUSTED = 1.15
"""Profiled over unprofiled time of a step, up to which the table is to be trusted."""
ELSE = "elementwise and losses"

Groups = Sequence[tuple[str, str]]
CPU_GROUPS: Groups = (
    ("optimizer", r"Optimizer|_fused_adam|_foreach"),
    ("casts and copies", r"^aten::(copy_|_to_copy|to|clone|contiguous|empty_strided)\b.*(_to_copy|clone|contiguous)"),
    ("convolutions, backward", r"onvolution.*[bB]ackward|convolution_backward"),
    ("convolutions, forward", r"onvolution|aten::conv"),
    ("dense layers, backward", r"(aten::(mm|addmm|matmul|linear)\b|LogRatios).*Backward|^(Addmm|Mm|Linear|_LogRatios)Backward"),
    ("dense layers, forward", r"aten::(mm|addmm|matmul|linear|t|transpose)\b|_LogRatios"),
    ("batch and random numbers", r"aten::(index|embedding|randn|normal_|randint|random_|rand|uniform_|argsort|sort|gather)\b"),
    ("autograd's bookkeeping", r"^(autograd::|torch::autograd|\w+Backward\d*( |$))"),
    ("casts and copies", r"^aten::(copy_|_to_copy|to|clone|contiguous)\b"),
)  # fmt: skip
"""(group, pattern) tried in turn on an operation's name and those it was called from, "aten::mm < aten::matmul < ...".

A custom function appears by its class: ``vaecore.convolutions`` as _Convolution, ``vaecore.critics`` as _LogRatios.
"""
CUDA_GROUPS: Groups = (
    ("optimizer", r"(?i)adam|multi_tensor"),
    ("convolutions, backward", r"(?i)dgrad|wgrad|bgrad|convolve.*bwd"),
    ("convolutions, forward", r"(?i)conv|fprop|implicit|nchwToNhwc|nhwcToNchw"),
    ("dense layers", r"(?i)gemm|gemv|cublas|nvjet|cutlass|splitKreduce"),
    ("batch and random numbers", r"(?i)distribution|philox|rand|index|gather|sort|embedding"),
    ("casts and copies", r"(?i)copy|memcpy|memset|cast"),
)
"""The same on the names of kernels."""


def group_of(name: str, groups: Groups) -> str:
    """The first group whose pattern is found in ``name``."""
    return next((group for group, pattern in groups if re.search(pattern, name)), ELSE)


def time_by_group(events: Iterable[Any], on_gpu: bool) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds by group, and by operation or kernel."""
    by_group: dict[str, float] = defaultdict(float)
    by_name: dict[str, float] = defaultdict(float)
    for event in events:
        if on_gpu:
            if event.device_type != DeviceType.CUDA:
                continue
            seconds, chain, groups = event.self_device_time_total / 1e6, event.name, CUDA_GROUPS
        else:
            seconds, chain, groups = event.self_cpu_time_total / 1e6, _chain(event), CPU_GROUPS
        by_group[group_of(chain, groups)] += seconds
        by_name[event.name] += seconds
    return by_group, by_name


def _chain(event: Any) -> str:
    names = []
    while event is not None:
        names.append(event.name)
        event = event.cpu_parent
    return " < ".join(names)


def seconds_per_step(contestant: Contestant, steps: int) -> float:
    start = time.perf_counter()
    contestant.run(steps)
    return (time.perf_counter() - start) / steps


def grow_heap(size: int = 1 << 30, block: int = 4 << 20) -> None:
    """Take memory from the system, touch it, and leave it with the process."""
    keep_freed_memory()
    blocks = [torch.zeros(block, dtype=torch.uint8) for _ in range(size // block)]
    del blocks


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.step_profile", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--family", choices=list(study_model.FAMILIES), default="vae")
    parser.add_argument("--contestant", choices=["ours", "plain"], default="ours")
    parser.add_argument("--device", choices=["cpu", "cuda"], help="cuda where there is one")
    parser.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto")
    parser.add_argument("--threads", type=int, default=1, help="PyTorch's; a study's trial has one")
    parser.add_argument("--steps", type=int, default=10, help="in the profile")
    parser.add_argument("--top", type=int, default=12, help="operations to list")
    parser.add_argument("--out", type=Path, default=TRACES, help="folder of the trace")
    settings = parser.parse_args(arguments)
    settings.device = settings.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if settings.contestant == "plain" and settings.precision == "auto":
        settings.precision = "float32"
    return settings


def main(arguments: Sequence[str] | None = None) -> Path:
    """Profile, print, write; the trace's path."""
    settings = parse(arguments)
    on_gpu = settings.device == "cuda"
    torch.set_num_threads(settings.threads)
    grow_heap()
    spec = Spec(
        contestant=settings.contestant,
        family=settings.family,
        device=settings.device,
        precision=settings.precision,
        chunk=settings.steps,
    )
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with tempfile.TemporaryDirectory() as folder:
        sprites.write(2000, Path(folder))
        contestant = prepare(spec, Path(folder))
        contestant.run(settings.steps)
        plain = median(seconds_per_step(contestant, settings.steps) for _ in range(5))
        with profile(activities=activities):  # the profiler warms up as well
            contestant.run(settings.steps)
        with profile(activities=activities) as profiler:
            profiled = seconds_per_step(contestant, settings.steps)
    by_group, by_name = time_by_group(profiler.events(), on_gpu)
    per_step = 1e3 / settings.steps
    by_group["Python and waiting"] = max(profiled * settings.steps - sum(by_group.values()), 0.0)
    print(
        f"{settings.contestant}, {settings.family}, {contestant.precision}, batch {study_model.BATCH_SIZE}, "
        f"{machine.device_name(settings.device)}, {settings.threads} thread(s), torch {torch.__version__}"
    )
    print(
        f"a step: {plain * 1e3:.2f} ms, with the profiler {profiled * 1e3:.2f} ms ({profiled / plain:.2f}×)"
    )
    if profiled > TRUSTED * plain:
        print("the profiler slowed the step by more than 15 %: the table shows the profiler's costs as well")
    print()
    print(_shares("where", by_group, per_step, len(by_group)))
    print()
    print(_shares("kernel" if on_gpu else "operation, its own time", by_name, per_step, settings.top))
    settings.out.mkdir(parents=True, exist_ok=True)
    path = settings.out / f"{settings.contestant}-{settings.family}-{settings.device}.json"
    profiler.export_chrome_trace(str(path))
    print(f"\ntrace: {path}")
    return path


def _shares(head: str, seconds: dict[str, float], per_step: float, top: int) -> str:
    total = sum(seconds.values())
    largest = sorted(seconds.items(), key=lambda item: -item[1])[:top]
    rows = [[name[:70], f"{value * per_step:.3f}", f"{value / total:.1%}"] for name, value in largest]
    return table([head, "ms per step", "share"], rows)


if __name__ == "__main__":
    main()

"""Where the time of a training step goes: ``python -m benchmarks.step_profile`` (``make profile``).

Profiles warm steps of the study's model with torch.profiler, prints a table of groups of operations, and
writes the trace for a browser (chrome://tracing, ui.perfetto.dev) to benchmarks/traces/. On a CPU the time of
an operation excludes the operations that it calls; on a GPU it is the time of its kernels. The rest of the
wall time, "Python and waiting", is the interpreter's and, on a GPU, that of the launches.

On a CPU the profiler may slow the step: its records take memory between the step's large blocks, so freed
blocks go back to the system, and every page of the next blocks is cleared again. A ReLU of 4 MB has looked
many times too slow for that reason. Therefore the process keeps freed memory, and has a gigabyte of it before
the profile starts. The table says how long a step took with and without the profiler; if they differ by more
than 15 %, do not trust it.

The module is not named ``profile``, because Python has a module of that name.
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

from benchmarks import command, machine, sprites, study_model
from benchmarks.contestants import Contestant, Spec, prepare
from benchmarks.table import table
from vaecore.memory import keep_freed_memory

__all__ = ["CPU_GROUPS", "CUDA_GROUPS", "group_of", "main"]

TRACES = Path(__file__).parent / "traces"
TRUSTED = 1.15
"""The largest ratio of profiled to unprofiled time of a step at which the table can be trusted."""
ELSE = "elementwise and losses"

Groups = Sequence[tuple[str, str]]
CPU_GROUPS: Groups = (
    ("optimizer", r"Optimizer|_fused_adam|_foreach"),
    (
        "casts and copies",
        r"^aten::(copy_|_to_copy|to|clone|contiguous|empty_strided)\b.*(_to_copy|clone|contiguous)",
    ),
    ("convolutions, backward", r"onvolution.*[bB]ackward|convolution_backward"),
    ("convolutions, forward", r"onvolution|aten::conv"),
    (
        "dense layers, backward",
        r"(aten::(mm|addmm|matmul|linear)\b|LogRatios).*Backward|^(Addmm|Mm|Linear|_LogRatios)Backward",
    ),
    ("dense layers, forward", r"aten::(mm|addmm|matmul|linear|t|transpose)\b|_LogRatios"),
    (
        "batch and random numbers",
        r"aten::(index|embedding|randn|normal_|randint|random_|rand|uniform_|argsort|sort|gather)\b",
    ),
    ("autograd's bookkeeping", r"^(autograd::|torch::autograd|\w+Backward\d*( |$))"),
    ("casts and copies", r"^aten::(copy_|_to_copy|to|clone|contiguous)\b"),
)
"""(group, pattern), tried in turn on an operation's name and its callers: "aten::mm < aten::matmul < ...".

A custom function appears by its class: ``vaecore.convolutions`` as _Convolution, ``vaecore.critics`` as
_LogRatios.
"""
CUDA_GROUPS: Groups = (
    ("optimizer", r"(?i)adam|multi_tensor"),
    ("convolutions, backward", r"(?i)dgrad|wgrad|bgrad|convolve.*bwd"),
    ("convolutions, forward", r"(?i)conv|fprop|implicit|nchwToNhwc|nhwcToNchw"),
    ("dense layers", r"(?i)gemm|gemv|cublas|nvjet|cutlass|splitKreduce"),
    ("batch and random numbers", r"(?i)distribution|philox|rand|index|gather|sort|embedding"),
    ("casts and copies", r"(?i)copy|memcpy|memset|cast"),
)
"""(group, pattern), tried in turn on the name of a kernel."""


def group_of(name: str, groups: Groups) -> str:
    """The first group whose pattern matches ``name``."""
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
    """Allocate and touch memory, and keep it in the process after it is freed."""
    keep_freed_memory()
    blocks = [torch.zeros(block, dtype=torch.uint8) for _ in range(size // block)]
    del blocks


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = command.parser("step_profile", __doc__, "device", "precision")
    parser.add_argument("--family", choices=list(study_model.FAMILIES), default="vae")
    parser.add_argument("--contestant", choices=["ours", "plain"], default="ours")
    parser.add_argument(
        "--threads", type=int, default=1, help="threads of PyTorch; a trial of a study has one"
    )
    parser.add_argument("--steps", type=int, default=10, help="steps in the profile")
    parser.add_argument("--top", type=int, default=12, help="operations in the table")
    parser.add_argument("--out", type=Path, default=TRACES, help="folder of the trace")
    settings = parser.parse_args(arguments)
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
        with profile(activities=activities):  # warms up the profiler
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
        print("the profiler slowed the step by more than 15 %: the table includes the cost of the profiler")
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

"""Describes what a result was measured on and with: device, versions, date, commit."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

__all__ = ["cores", "describe", "device_name", "engine", "heading", "result_path", "slug", "version"]

RESULTS = Path(__file__).parent / "results"
ENGINE = Path(__file__).parents[1] / "vaecore"


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def device_name(device: str) -> str:
    """The model of the processor, or of the GPU."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def describe(device: str) -> dict[str, Any]:
    """Device, cores, versions, date and commit, for a result's JSON."""
    return {
        "device": device_name(device),
        "kind": device,
        "cores": cores(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "pythae": version("pythae"),
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "commit": _commit(),
        "vaecore": engine(),
    }


def heading(machine: Mapping[str, Any]) -> str:
    """The same in a line, for the head of a command's output."""
    return (
        f"{machine['device']}, {machine['cores']} cores; "
        f"python {machine['python']}, torch {machine['torch']}; "
        f"{machine['date']}; commit {(machine['commit'] or 'unknown')[:12]}"
    )


def engine() -> str:
    """Digest of vaecore's files; results of different code have different digests, committed or not."""
    digest = hashlib.sha256()
    for path in sorted(ENGINE.rglob("*.py")):
        digest.update(path.relative_to(ENGINE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def slug(machine: Mapping[str, Any]) -> str:
    """The device in a file's name: gpu-<its name>, or <its name>-<n>-cores."""
    name = re.sub(r"[^a-z0-9]+", "-", machine["device"].lower()).strip("-")
    return f"{name}-{machine['cores']}-cores" if machine["kind"] == "cpu" else f"gpu-{name}"


def result_path(benchmark: str, machine: Mapping[str, Any], suffix: str, folder: Path | None = None) -> Path:
    """<folder>/<benchmark>-<device>-<date><suffix>; makes the folder, by default benchmarks/results/."""
    folder = folder or RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{benchmark}-{slug(machine)}-{machine['date'][:10]}{suffix}"


def version(package: str) -> str | None:
    """Version of an installed package; None if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit, with "+" if tracked files differ from it; None outside a repository."""
    root = Path(__file__).parents[1]
    try:
        run = [
            subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True).stdout
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        ]
    except (OSError, subprocess.CalledProcessError):
        return None
    return run[0].strip() + ("+" if run[1].strip() else "")

"""What a bug report needs: versions, cores, GPU, disk, Ray, ports, and what is wrong with any of them."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline import ui
from pipeline.environment import PACKAGES, lacking
from pipeline.errors import UserError
from pipeline.study.params import load
from pipeline.study.provenance import git_commit, machine
from pipeline.tracking import address

__all__ = ["add_arguments", "main"]

LEAST_FREE = 1e9
"""Bytes of disk below which a study is likely to fail."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""


def main(options: argparse.Namespace) -> int:
    """Print a line per fact; 1 if one of them keeps a study from running."""
    wrong = 0
    for name, value, cure in facts(Path.cwd()):
        wrong += bool(cure)
        print(f"{'!' if cure else ' '} {name:12} {value}{f'. {cure}' if cure else ''}")
    print(f"\n{'nothing wrong was found' if not wrong else f'{wrong} to mend, marked with !'}")
    return 1 if wrong else 0


def facts(root: Path) -> Iterator[tuple[str, str, str]]:
    """(what, what was found, what to do about it: empty if it is right)."""
    yield "python", f"{platform.python_version()}, {sys.executable}", ""
    yield "shell python", *shell_python()
    yield "packages", *packages()
    found = {} if lacking() else machine()
    yield "system", f"{platform.system()} {platform.release()} {platform.machine()}", ""
    yield "processor", f"{found.get('cpu', 'not known')}, {cores()} cores for this process", ""
    yield "GPU", *gpu()
    yield "memory", memory(), ""
    free = shutil.disk_usage(root).free
    yield "disk", f"{free / 1e9:.1f} GB free at {root}", "Make room." if free < LEAST_FREE else ""
    yield "git", git_commit(root) or "no git repository: `dvc metrics diff` needs one", ""
    yield "params.yaml", *params()
    yield "MLflow store", *store(root)
    yield "Ray", *ray()
    port = int(os.environ.get("PORT", ui.PORT))
    busy = listens(port)
    yield "port", f"{port} for the MLflow UI: {'in use' if busy else 'free'}", ""


def shell_python() -> tuple[str, str]:
    """The python that DVC starts the stages with."""
    path = shutil.which("python3")
    if path is None:
        return "there is no python3 on the PATH", "Activate an environment, or use `betabench run`."
    same = (
        Path(path).resolve() == Path(sys.executable).resolve()
        and Path(path).parent == Path(sys.executable).parent
    )
    return f"{path}{'' if same else ', another one: the stages switch to that of `dvc`'}", ""


def packages() -> tuple[str, str]:
    """Versions of what pyproject.toml requires."""
    missing = lacking()
    names = [re.sub(r"\[.*", "", name) for name in PACKAGES]
    versions = [f"{name} {importlib.metadata.version(name)}" for name in names if name not in missing]
    cure = f"Install {', '.join(missing)}: pip install -c constraints.txt -e ." if missing else ""
    return ", ".join(versions), cure


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpu() -> tuple[str, str]:
    """Its name, as PyTorch sees it; a card that PyTorch does not see is worth a word."""
    import torch

    if torch.cuda.is_available():
        total = torch.cuda.get_device_properties(0).total_memory / 2**30
        return f"{torch.cuda.device_count()} × {torch.cuda.get_device_name()}, {total:.0f} GiB each", ""
    if shutil.which("nvidia-smi"):
        listed = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, check=False
        ).stdout.strip()
        if listed:
            return f"PyTorch {torch.__version__} sees none of: {listed}", "Install a PyTorch built for CUDA."
    return "none", ""


def memory() -> str:
    """In GiB, where the system says it."""
    try:
        pages, free = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_AVPHYS_PAGES")
        page = os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return "not known"
    return f"{pages * page / 2**30:.1f} GiB, {free * page / 2**30:.1f} free"


def params() -> tuple[str, str]:
    """Whether params.yaml is a study."""
    try:
        study = load()
    except UserError as error:
        return "not a study", str(error)
    return f"study {study.study!r}: {len(study.datasets)} data sets, {len(study.families)} families", ""


def store(root: Path) -> tuple[str, str]:
    """Whether MLflow's store can be opened."""
    try:
        uri = address.resolve(load().tracking.uri, root)
        address.check(uri)
    except UserError as error:
        return "cannot be used", str(error)
    return address.readable(uri), ""


def ray() -> tuple[str, str]:
    """Which Ray a study would use, and whether it answers."""
    try:
        named = load().scheduling.address or os.environ.get("RAY_ADDRESS")
    except UserError:
        named = os.environ.get("RAY_ADDRESS")
    if not named:
        return "starts on this machine", ""
    host, _, port = named.rpartition("://")[2].rpartition(":")
    if port.isdigit() and not listens(int(port), host.strip("[]")):
        return f"nothing answers at {named}", "Start it (`ray start --head`), or correct scheduling.address."
    return f"joins {named}", ""


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something answers at a port."""
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True

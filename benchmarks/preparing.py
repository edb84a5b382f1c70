"""Memory and time to prepare a data set of its true size, from made-up data in the official format.

    python -m benchmarks.preparing [mpi3d_real shapes3d]

Writes a file of the official layout and size into a folder and prepares it in a separate process. Reports
that process's peak of resident memory (VmHWM of /proc/self/status) and the images per second, and checks that
the prepared images are those that were written. ``--folder`` needs room for twice the data set: 26 GB for
MPI3D-real, the largest.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import command, machine
from benchmarks.table import table

__all__ = ["SETS", "main", "measure"]

LIMIT = 1 << 30
"""The largest peak of memory that is acceptable, in bytes."""
BLOCK = 4096

PROGRAM = """
import json, sys, time
from pathlib import Path
from pipeline.data.files.download import checksum
from pipeline.preprocess import prepare
from pipeline.store.layout import Store
import pipeline.data.datasets.{name} as module

store = Store(Path("."))
(raw,) = (path for path in store.raw("{name}").iterdir() if not path.name.startswith("."))
began = time.perf_counter()
{pin}
hashed = time.perf_counter() - began
began = time.perf_counter()
meta = prepare("{name}", options, store)
seconds = time.perf_counter() - began
status = Path("/proc/self/status").read_text().splitlines()
peak = next(line for line in status if line.startswith("VmHWM"))
peak = 1024 * int(peak.split()[1])
print(json.dumps({{"n": meta["n"], "seconds": seconds, "hashing": hashed, "peak": peak}}))
"""
PINS = {
    "mpi3d_real": "options = module.Options(checksum=checksum(raw, 'md5'))",
    "shapes3d": "found = checksum(raw, 'sha256')\nfrom dataclasses import replace\n"
    "module.FILES = (replace(module.FILES[0], checksum=found),)\noptions = module.Options()",
}
"""Data set -> code that replaces the official checksum by that of the made-up file."""


def images(n: int, size: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Blocks of made-up images, uint8 [up to BLOCK, ...]; an image begins with its row in four bytes."""
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, (BLOCK, *size), dtype=np.uint8)
    for start in range(0, n, BLOCK):
        block = base[: min(BLOCK, n - start)].copy()
        rows = np.arange(start, start + len(block), dtype=">u4")
        block.reshape(len(block), -1)[:, :4] = rows.view(np.uint8).reshape(-1, 4)
        yield block


def mpi3d_real(path: Path, n: int = 1_036_800) -> int:
    """Write an uncompressed .npz of ``n`` images; their number."""
    size = (64, 64, 3)
    with (
        zipfile.ZipFile(path / "mpi3d_real.npz", "w", zipfile.ZIP_STORED, allowZip64=True) as archive,
        archive.open("images.npy", "w", force_zip64=True) as file,
    ):
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|u1", "fortran_order": False, "shape": (n, *size)}
        )
        for block in images(n, size):
            file.write(block.data)
    return n


def shapes3d(path: Path) -> int:
    """Write an HDF5 file of 480,000 images with h5py's chunks and compression; their number."""
    import h5py

    sizes = (10, 10, 10, 8, 4, 15)
    n, size = int(np.prod(sizes)), (64, 64, 3)
    with h5py.File(path / "3dshapes.h5", "w") as file:
        stored = file.create_dataset(
            "images", (n, *size), np.uint8, chunks=True, compression="gzip", compression_opts=1
        )
        rows = stored.chunks[0]
        start = 0
        flat = np.zeros((rows, *size), np.uint8)  # noise would take an hour to compress
        while start < n:
            count = min(rows, n - start)
            flat.reshape(rows, -1)[:count, :4] = (
                np.arange(start, start + count, dtype=">u4").view(np.uint8).reshape(-1, 4)
            )
            stored[start : start + count] = flat[:count]
            start += count
        values = [np.linspace(0, 1, count) for count in sizes]
        grid = np.meshgrid(*values, indexing="ij")
        file["labels"] = np.stack([axis.ravel() for axis in grid], axis=1)
    return n


SETS: dict[str, Callable[[Path], int]] = {"mpi3d_real": mpi3d_real, "shapes3d": shapes3d}


def measure(name: str, folder: Path) -> dict[str, Any]:
    """One row of the table."""
    raw = folder / "data" / "raw" / name
    raw.mkdir(parents=True)
    command.log(f"{name}: writing a file of the official size")
    n = SETS[name](raw)
    size = sum(path.stat().st_size for path in raw.iterdir())
    command.log(f"{name}: preparing {n:,} images from {size / 1e9:.1f} GB")
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(name=name, pin=PINS[name])],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    prepared = np.load(folder / "data" / "ready" / name / "images.npy", mmap_mode="r")
    assert len(prepared) == found["n"] == n
    chosen = np.random.default_rng(1).choice(n, min(200, n), replace=False)
    for row in chosen:  # [C, H, W]: the four bytes are the first pixel's colours and the second pixel's red
        first, second = prepared[row, :, 0, 0], prepared[row, 0, 0, 1]
        assert int.from_bytes(bytes([*first, second])) == row
    return {
        "dataset": name,
        "raw_bytes": size,
        "ready_bytes": prepared.nbytes,
        "under_limit": found["peak"] < LIMIT,
        **found,
    }


def main(arguments: Sequence[str] | None = None) -> Path:
    """Measure, print, write; the JSON file's path."""
    parser = command.parser("preparing", __doc__, "out")
    parser.add_argument("datasets", nargs="*", choices=[[], *SETS], metavar="dataset")
    parser.add_argument("--folder", type=Path, default=command.SCRATCH, help="folder of the data sets")
    settings = parser.parse_args(arguments)
    described = machine.describe("cpu")
    path = machine.result_path("preparing", described, ".json", settings.out)
    settings.folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for name in settings.datasets or SETS:
        with tempfile.TemporaryDirectory(dir=settings.folder) as folder:
            rows.append(measure(name, Path(folder).absolute()))
        command.write(path, {"machine": described, "rows": rows})
    head = ("data set", "images", "raw GB", "ready GB", "seconds", "images/s", "peak MiB")
    cells = [
        (
            row["dataset"],
            f"{row['n']:,}",
            f"{row['raw_bytes'] / 1e9:.1f}",
            f"{row['ready_bytes'] / 1e9:.1f}",
            f"{row['seconds']:.0f}",
            f"{row['n'] / row['seconds']:,.0f}",
            f"{row['peak'] / 2**20:.0f}",
        )
        for row in rows
    ]
    print(f"{machine.heading(described)}\n\n{table(head, cells)}\n\nwritten: {path}")
    return path


if __name__ == "__main__":
    main()

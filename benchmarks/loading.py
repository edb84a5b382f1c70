"""Batches per second from each format of prepared images, beside the rate of training on them.

    python -m benchmarks.loading

A batch is 64 images at random rows of a memory-mapped file, expanded to float32 as in training
(``vaecore.images.Images.batch``), with the nuisance of the data set, if it has one. The training is a VAE's
with a network for such images. Both run on one thread, in turns; a rate is the median over the rounds. ``from
disk`` is the first pass over a file that the system has dropped from its memory: the rate from this machine's
disk if a data set is larger than the memory.

Loading is not the bottleneck if the ratio is 10 or more: a step then spends at most a tenth of its time on
loading. The rate of training includes that time.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks import command, machine, study_model
from benchmarks.study_model import BATCH_SIZE
from benchmarks.table import table
from vaecore.batch import Sampler
from vaecore.images import Images
from vaecore.nuisances import Nuisance
from vaecore.training import train

__all__ = ["FORMATS", "Format", "main", "measure"]

MLP = {"name": "mlp", "hidden": [256, 256]}
CHUNK = 20
"""Training steps between two looks at the clock."""


@dataclass(frozen=True)
class Format:
    """How images are stored in a file, and the network that trains on them."""

    example: str
    """Data sets of this format."""
    shape: tuple[int, int, int]
    """(C, H, W) of the network's input."""
    bits: bool
    nuisance: str | None = None
    network: str | Mapping[str, Any] = "conv"

    @property
    def row(self) -> tuple[int, ...]:
        """The shape of one stored image."""
        channels = self.shape[0] if self.nuisance is None else 1
        size = (channels, *self.shape[1:])
        return (-(-int(np.prod(size)) // 8),) if self.bits else size

    @property
    def name(self) -> str:
        return ("bits" if self.bits else "uint8") + (f", {self.nuisance}" if self.nuisance else "")


FORMATS = (
    Format("digits", (1, 8, 8), False, network=MLP),
    Format("mnist, fashion_mnist", (1, 28, 28), False),
    Format("dsprites at 32", (1, 32, 32), False),
    Format("dsprites", (1, 64, 64), True),
    Format("smallnorb, cosmos", (1, 64, 64), False),
    Format("shapes3d, mpi3d, celeba", (3, 64, 64), False),
    Format("color_dsprites", (3, 64, 64), True, "colour"),
    Format("noisy_dsprites", (3, 64, 64), True, "noise"),
    Format("scream_dsprites", (3, 64, 64), True, "background"),
)


def write(form: Format, n: int, path: Path) -> None:
    """Write a file of random images, as prepared images are stored in data/ready."""
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(n, *form.row))
    rng = np.random.default_rng(0)
    for start in range(0, n, 4096):
        some = array[start : start + 4096]
        some[:] = rng.integers(0, 256, some.shape, dtype=np.uint8)
    array.flush()


def opened(form: Format, path: Path) -> Images:
    """The images of the file, opened as a training opens them."""
    stored = torch.from_numpy(np.load(path, mmap_mode="c"))
    nuisance = None
    if form.nuisance is not None:
        picture = torch.randint(0, 256, (3, 213, 320), dtype=torch.uint8)
        nuisance = Nuisance(form.nuisance, form.shape[1:], picture if form.nuisance == "background" else None)
    return Images(stored, form.shape, nuisance)


def loader(images: Images, generator: torch.Generator) -> Callable[[], object]:
    """A function that draws one batch as a training does."""
    sampler = Sampler(images)
    return lambda: sampler.draw(BATCH_SIZE, generator)


def trainer(form: Format, images: Images) -> Callable[[], object]:
    """A function that takes ``CHUNK`` training steps."""
    rows = train(study_model.training("vae", Sampler(images), 0, network=form.network, record_every=CHUNK))
    return lambda: next(rows)


def rate(action: Callable[[], object], seconds: float) -> float:
    """Calls of ``action`` per second, over a window of about ``seconds``."""
    calls, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        action()
        calls += 1
    return calls / spent


def cold(form: Format, path: Path, batches: int) -> float | None:
    """Batches per second from the disk; None if the system cannot drop the file from its memory."""
    if not hasattr(os, "posix_fadvise"):
        return None
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    deliver = loader(opened(form, path), torch.Generator().manual_seed(1))
    began = time.perf_counter()
    for _ in range(batches):
        deliver()
    return batches / (time.perf_counter() - began)


def measure(form: Format, n: int, seconds: float, rounds: int, folder: Path) -> dict[str, Any]:
    """One row of the table."""
    path = folder / "images.npy"
    write(form, n, path)
    size = path.stat().st_size
    from_disk = cold(form, path, batches=max(1, min(100, n // BATCH_SIZE // 4)))
    images = opened(form, path)
    deliver = loader(images, torch.Generator().manual_seed(0))
    learn = trainer(form, images)
    deliver()
    learn()
    loaded, trained = [], []
    for _ in range(rounds):
        loaded.append(rate(deliver, seconds))
        trained.append(CHUNK * rate(learn, seconds))
    path.unlink()
    return {
        "example": form.example,
        "format": form.name,
        "shape": list(form.shape),
        "network": form.network if isinstance(form.network, str) else form.network["name"],
        "images": n,
        "bytes": size,
        "bytes_per_image": int(np.prod(form.row)),
        "loaded": median(loaded),
        "loaded_rounds": loaded,
        "from_disk": from_disk,
        "trained": median(trained),
        "trained_rounds": trained,
        "ratio": median(loaded) / median(trained),
    }


def text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table that is printed, in batches of 64 per second."""
    head = ("format", "image", "data sets", "bytes/image", "loaded", "from disk", "trained", "ratio")
    cells = [
        (
            row["format"],
            "×".join(map(str, row["shape"])),
            row["example"],
            f"{row['bytes_per_image']:,}",
            f"{row['loaded']:,.0f}",
            "–" if row["from_disk"] is None else f"{row['from_disk']:,.0f}",
            f"{row['trained']:,.1f}",
            f"{row['ratio']:.0f}",
        )
        for row in rows
    ]
    return table(head, cells, left=3)


def main(arguments: Sequence[str] | None = None) -> Path:
    """Measure, print, write; the JSON file's path."""
    parser = command.parser("loading", __doc__, "seconds", "rounds", "out", seconds=3.0, rounds=5)
    parser.add_argument("--images", type=int, default=100_000, help="number of images in a file")
    settings = parser.parse_args(arguments)
    torch.set_num_threads(1)
    described = machine.describe("cpu")
    path = machine.result_path("loading", described, ".json", settings.out)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        for form in FORMATS:
            rows.append(measure(form, settings.images, settings.seconds, settings.rounds, Path(folder)))
            command.log(f"{form.example}: ratio {rows[-1]['ratio']:.0f}")
            command.write(path, {"machine": described, "batch": BATCH_SIZE, "rows": rows})
    print(f"{machine.heading(described)}\none thread; batches of {BATCH_SIZE} per second\n")
    print(f"{text(rows)}\n\nwritten: {path}")
    return path


if __name__ == "__main__":
    main()

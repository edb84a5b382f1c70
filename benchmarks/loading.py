"""Batches per second that each format of prepared images delivers, beside the rate at which they are trained on.

    python -m benchmarks.loading

A batch is 64 images at random rows of a memory-mapped file, expanded to float32 as in training (``vaecore.images.Images.batch``), and
dressed where the data set has a nuisance; the training is a VAE's, of the network that such images get. Both run on one thread,
in turns, round after round; a rate is the median over the rounds. ``from disk`` is the first pass over rows of a file that the system
has dropped from its memory: what it costs where a data set is larger than the memory, on this machine's disk.

Loading is never the bottleneck where the ratio is 10 or more: a step then waits for its images for a tenth of its time at the most. The
training's own rate includes that time.
"""

from __future__ import annotations

import argparse
import json
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

from benchmarks import machine
from benchmarks.table import table
from vaecore import families
from vaecore.batch import Sampler
from vaecore.images import Images
from vaecore.nuisances import Nuisance
from vaecore.training import Settings, Training, train

__all__ = ["FORMATS", "Format", "main", "measure"]

BATCH = 64
ENDLESS = 1_000_000_000
MLP = {"name": "mlp", "hidden": [256, 256]}


@dataclass(frozen=True)
class Format:
    """How images lie in a file, and what trains on them."""

    example: str
    """Data sets that have it."""
    shape: tuple[int, int, int]
    """(C, H, W) as the network sees it."""
    bits: bool
    nuisance: str | None = None
    network: str | Mapping[str, Any] = "conv"

    @property
    def row(self) -> tuple[int, ...]:
        """Of one stored image."""
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
    """A file of random images, as prepared ones lie in data/ready."""
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(n, *form.row))
    rng = np.random.default_rng(0)
    for start in range(0, n, 4096):
        some = array[start : start + 4096]
        some[:] = rng.integers(0, 256, some.shape, dtype=np.uint8)
    array.flush()


def opened(form: Format, path: Path) -> Images:
    """The file as training opens it."""
    stored = torch.from_numpy(np.load(path, mmap_mode="c"))
    nuisance = None
    if form.nuisance is not None:
        picture = torch.randint(0, 256, (3, 213, 320), dtype=torch.uint8)
        nuisance = Nuisance(form.nuisance, form.shape[1:], picture if form.nuisance == "background" else None)
    return Images(stored, form.shape, nuisance)


def loader(images: Images, generator: torch.Generator) -> Callable[[], None]:
    """Delivers one batch, drawn as a training draws it."""
    sampler = Sampler(images)
    return lambda: void(sampler.draw(BATCH, generator))


def trainer(form: Format, images: Images, chunk: int) -> Callable[[], None]:
    """Takes ``chunk`` training steps."""
    family = families.build(
        "vae", image_shape=form.shape, latents=10, network=form.network, likelihood="bernoulli",
        dataset_size=len(images), hyper={}, seed=0,
    )  # fmt: skip
    settings = Settings(steps=ENDLESS, batch_size=BATCH, learning_rate=1e-4, record_every=chunk)
    rows = train(Training(family, Sampler(images), settings, {}, seed=0))
    return lambda: void(next(rows))


def void(_: object) -> None:
    """Its value is of no interest."""


def rate(action: Callable[[], None], seconds: float) -> float:
    """Calls per second, over about so many seconds."""
    calls, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        action()
        calls += 1
    return calls / spent


def cold(form: Format, path: Path, batches: int) -> float | None:
    """Batches per second while the file comes from the disk; None where the system cannot be told to forget it."""
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
    from_disk = cold(form, path, batches=max(1, min(100, n // BATCH // 4)))
    images = opened(form, path)
    deliver = loader(images, torch.Generator().manual_seed(0))
    chunk = 20
    learn = trainer(form, images, chunk)
    deliver()
    learn()
    loaded, trained = [], []
    for _ in range(rounds):
        loaded.append(rate(deliver, seconds))
        trained.append(chunk * rate(learn, seconds))
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
    """The table for people: batches of 64 per second."""
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
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loading", description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=100_000, help="in a file")
    parser.add_argument("--seconds", type=float, default=3.0, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="folder of the JSON file, instead of benchmarks/results")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    described = machine.describe("cpu")
    path = machine.result_path("loading", described, ".json", chosen.out)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        for form in FORMATS:
            rows.append(measure(form, chosen.images, chosen.seconds, chosen.rounds, Path(folder)))
            print(f"{form.example}: {rows[-1]['ratio']:.0f}", flush=True)
            path.write_text(json.dumps({"machine": described, "batch": BATCH, "rows": rows}, indent=1) + "\n")
    print(
        f"\n{described['device']}, one thread; batches of {BATCH} per second\n\n{text(rows)}\n\nwritten: {path}"
    )
    return path


if __name__ == "__main__":
    main()

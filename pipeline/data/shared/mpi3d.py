"""The three data sets of MPI3D: an object at the end of a robot arm, every combination of seven factors once.

    factor             values   meaning (the authors' README)
    object_color            6   white, green, red, blue, brown, olive
    object_shape            6   cone, cube, cylinder, hexagonal, pyramid, sphere
    object_size             2   small, large
    camera_height           3   top, center, bottom
    background_color        3   purple, sea green, salmon
    horizontal_axis        40   the arm's first degree of freedom
    vertical_axis          40   its second

    mpi3d_*.npz    zip, stored or deflated: images.npy, uint8 [N, 64, 64, 3], red green blue, 0..255;
                   in lexicographic order, vertical_axis fastest

The file has no labels: N identifies the grid. 1,036,800 images are the grid above; 460,800 have 4 colours and
4 shapes. The latter are the toy and realistic images that disentanglement_lib reads
(sim_toy_64x_ordered_without_heldout_factors.npz), whose address no longer exists; which 4 of the colours and
shapes they have is not documented. (The authors' fourth data set, of household objects, has as many images
with other factor values; it is not included here.) Unpacked, today's files need 12.7 GB, so they are read as
they are decompressed, some megabytes at a time.

Checksums. The authors publish none. Those here are md5s that other projects (disent and, for the toy file,
another) have pinned for the same file names at an earlier address,
storage.googleapis.com/disentanglement_dataset/Final_Dataset, closed since 2023. Today's files are probably
the same bytes, but this could not be verified: if they are not, the option ``checksum`` names the right file.

M. W. Gondal, M. Wüthrich, Đ. Miladinović, F. Locatello, M. Breidt, V. Volchkov, J. Akpo, O. Bachem, B.
Schölkopf, S. Bauer, "On the Transfer of Inductive Bias from Simulation to the Real World: a New
Disentanglement Dataset", NeurIPS 32, 2019, arXiv:1906.03292.
https://github.com/rr-learning/disentanglement_dataset (CC BY 4.0)
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, BinaryIO, ClassVar, cast

import numpy as np
from pydantic import Field, field_validator

from pipeline.data.arrays.dataset import About, DownloadOptions, Prepared, fetched
from pipeline.data.arrays.grid import factor_table, select
from pipeline.data.arrays.shrink import shrink
from pipeline.data.files.damage import damage
from pipeline.data.files.download import CHECKSUM_PATTERN, RemoteFile, fetch_files
from pipeline.errors import UserError
from pipeline.store import npy

__all__ = ["OLDER", "SIZES", "VARIANTS", "Checksum", "Mpi3dOptions", "Variant"]

SIZES = {
    "object_color": 6,
    "object_shape": 6,
    "object_size": 2,
    "camera_height": 3,
    "background_color": 3,
    "horizontal_axis": 40,
    "vertical_axis": 40,
}
OLDER = {**SIZES, "object_color": 4, "object_shape": 4}
"""The grid of the toy and realistic images that disentanglement_lib reads."""

IMAGE = (64, 64, 3)
MEMBER = "images.npy"

HUGGING_FACE = "https://huggingface.co/datasets/waleedgondal/mpi3d/resolve/main/"
EARLIER = "https://storage.googleapis.com/mpi3d_disentanglement_dataset/data/"
"""The authors' address until 2024; whether it still serves files is not known."""

Checksum = Annotated[str, Field(pattern=CHECKSUM_PATTERN)]


class Mpi3dOptions(DownloadOptions):
    """The keys of all data sets of MPI3D."""

    original_size: ClassVar[int] = IMAGE[0]

    subset: dict[str, int | list[int]] = Field(default_factory=dict)
    """Factor -> how many evenly spaced values to keep of it, the first and the last among them, or their
    indices. Other factors keep all values."""
    checksum: Checksum
    """Of the file: ``sha256:...`` or ``md5:...``. Each data set has its own default."""

    @field_validator("subset")
    @classmethod
    def _is_a_choice(cls, value: dict[str, int | list[int]]) -> dict[str, int | list[int]]:
        select(value, SIZES)
        return value


def _card(name: str, title: str, images: str, earlier: str, md5: str) -> About:
    """The card of one data set.

    Args:
        images: what its images are.
        earlier: the name of its file at the earlier address.
    """
    addresses = (f"{HUGGING_FACE}{name}.npz", f"{EARLIER}{earlier}")
    return About(
        title=title,
        what=f"1,036,800 {images} at the end of a robot arm: every combination of seven factors once.",
        source="https://github.com/rr-learning/disentanglement_dataset",
        licence="Creative Commons Attribution 4.0 International License "
        "(https://creativecommons.org/licenses/by/4.0/)",
        citation="M. W. Gondal, M. Wüthrich, Đ. Miladinović, F. Locatello, M. Breidt, V. Volchkov, J. Akpo, "
        "O. Bachem, B. Schölkopf, S. Bauer, On the Transfer of Inductive Bias from Simulation to the Real "
        "World: a New Disentanglement Dataset, NeurIPS 32, 2019, arXiv:1906.03292",
        factors=SIZES,
        files=(RemoteFile(f"{name}.npz", addresses, f"md5:{md5}"),),
    )


@dataclass(frozen=True)
class Variant:
    """One of the three data sets."""

    about: About
    """Its card."""
    older: bool
    """Whether its file may have the smaller grid that disentanglement_lib reads."""

    @property
    def file(self) -> RemoteFile:
        """Its only file."""
        return self.about.files[0]

    @property
    def checksum(self) -> str:
        """The md5 of its file at an earlier address."""
        assert self.file.checksum is not None
        return self.file.checksum

    def fetch(self, options: Mpi3dOptions, folder: Path) -> None:
        """Download the published file, 12.7 GB if it is stored uncompressed.

        Raises:
            UserError: it cannot be downloaded, or is not the expected file.
        """
        fetch_files([replace(self.file, checksum=options.checksum)], folder, options.mirror)

    def prepare(self, options: Mpi3dOptions, folder: Path) -> Prepared:
        """The images of the chosen factors, [3, 64, 64] or smaller.

        Raises:
            UserError: the raw file is missing, damaged or not in the published layout, or its grid lacks
                chosen values.
        """
        path = fetched(folder, self.file.name, options.checksum)
        with _images(path) as (_, shape):
            sizes = _grid(shape, (SIZES, OLDER) if self.older else (SIZES,))
        try:
            kept = select(options.subset, sizes)
        except ValueError as error:
            raise UserError(
                f"params.yaml: datasets.{folder.name}.subset: {error} ({path.name} has {shape[0]:,} images, "
                f"a grid of {'×'.join(map(str, sizes.values()))})"
            ) from None
        chosen = tuple(len(indices) for indices in kept.values())
        size = options.image_size or IMAGE[0]
        return Prepared(
            blocks=_blocks(path, kept, sizes, size),
            count=int(np.prod(chosen)),
            storage="uint8",
            shape=(3, size, size),
            factors=factor_table(chosen),
            factor_names=tuple(sizes),
            factor_sizes=chosen,
            grid=True,
            details={"factor_indices": kept},
        )


VARIANTS = {
    name: Variant(_card(name, title, images, earlier, md5), older)
    for name, title, images, earlier, md5, older in (
        ("mpi3d_toy", "MPI3D-toy", "simplistic 64×64 colour renderings of an object",
         "mpi3d_toy.npz", "55889cb7c7dfc655d6e0277beee88868", True),
        ("mpi3d_realistic", "MPI3D-realistic", "realistic 64×64 colour renderings of an object",
         "mpi3d_realistic.npz", "59a6225b88b635365f70c91b3e52f70f", True),
        ("mpi3d_real", "MPI3D-real", "64×64 colour photographs of a real object",
         "real.npz", "0f33f609918fb5c97996692f91129802", False),
    )
}  # fmt: skip
"""The three data sets, by name."""


def _blocks(
    path: Path, kept: Mapping[str, list[int]], sizes: Mapping[str, int], size: int
) -> Iterator[np.ndarray]:
    """uint8 [n, 3, size, size], the chosen images in the grid's order, some megabytes at a time.

    Raises:
        UserError: the file is damaged, or not in the published layout.
    """
    in_subset = np.zeros(tuple(sizes.values()), dtype=bool)
    in_subset[np.ix_(*kept.values())] = True
    in_subset = in_subset.ravel()
    start = 0
    with _images(path) as (file, shape):
        for images in npy.blocks(file, shape, np.dtype(np.uint8)):
            chosen = images[in_subset[start : start + len(images)]]
            start += len(images)
            if len(chosen):
                yield shrink(np.ascontiguousarray(chosen.transpose(0, 3, 1, 2)), size)


@contextmanager
def _images(path: Path) -> Iterator[tuple[BinaryIO, tuple[int, ...]]]:
    """The images' bytes as they are decompressed, and their shape.

    Raises:
        UserError: the file is damaged, or not in the published layout.
    """
    name = path.parent.name
    cure = (
        f"Correct mirror and checksum in params.yaml (datasets.{name}) and fetch it again: "
        f"dvc repro --force fetch@{name}"
    )
    with damage(f"{path} is not MPI3D in its published layout", cure), zipfile.ZipFile(path) as archive:
        if MEMBER not in archive.namelist():
            raise ValueError(
                f"it has no member {MEMBER}; it has: {', '.join(archive.namelist()[:5]) or 'none'}"
            )
        with archive.open(MEMBER) as member:
            file = cast(BinaryIO, member)
            shape, dtype = npy.header(file)
            if len(shape) != 4 or shape[1:] != IMAGE or dtype != np.uint8:
                raise ValueError(
                    f"images should be uint8 [N, {', '.join(map(str, IMAGE))}], found {dtype} {list(shape)}"
                )
            held = archive.getinfo(MEMBER).file_size
            expected = file.tell() + shape[0] * int(np.prod(IMAGE))
            if held != expected:
                raise ValueError(f"{MEMBER} has {held:,} bytes, and {shape[0]:,} images have {expected:,}")
            yield file, shape


def _grid(shape: tuple[int, ...], grids: Sequence[Mapping[str, int]]) -> Mapping[str, int]:
    """The grid that has so many images."""
    counts = [int(np.prod(tuple(sizes.values()))) for sizes in grids]
    if shape[0] not in counts:
        expected = " or ".join(
            f"{count:,} ({'×'.join(map(str, sizes.values()))})"
            for count, sizes in zip(counts, grids, strict=True)
        )
        raise ValueError(f"it should have {expected} images, found {shape[0]:,}")
    return grids[counts.index(shape[0])]

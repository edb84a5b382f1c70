"""MPI3D-real: 1,036,800 photographs, 64×64 in colour, of a real object at the end of a robot arm.

    mpi3d_real.npz    images.npy, uint8 [1036800, 64, 64, 3]

Factors, their order and meaning, the layout and the paper are in ``pipeline/data/shared/mpi3d.py``. ``checksum`` is an option because
the md5 here was seen for this file at an earlier address; nobody has published one for today's.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

from pipeline.data.arrays.dataset import Prepared, fetched
from pipeline.data.files.download import CHECKSUM_PATTERN, RemoteFile, fetch_files
from pipeline.data.shared import mpi3d

__all__ = ["ABOUT", "Options", "fetch", "prepare"]

CHECKSUM = "md5:0f33f609918fb5c97996692f91129802"
"""of this file at an earlier address; see ``pipeline/data/shared/mpi3d.py``."""
# The second address is the authors' earlier one, seen in projects that use it; whether it is served still is not known.
FILES = (
    RemoteFile(
        "mpi3d_real.npz",
        (
            "https://huggingface.co/datasets/waleedgondal/mpi3d/resolve/main/mpi3d_real.npz",
            "https://storage.googleapis.com/mpi3d_disentanglement_dataset/data/real.npz",
        ),
        CHECKSUM,
    ),
)

ABOUT = replace(
    mpi3d.ABOUT,
    title="MPI3D-real",
    what="1,036,800 64×64 colour photographs of a real object at the end of a robot arm: "
    "every combination of seven factors once.",
    files=FILES,
)


class Options(mpi3d.Mpi3dOptions):
    """``datasets.mpi3d_real`` in params.yaml."""

    checksum: Annotated[str, Field(pattern=CHECKSUM_PATTERN)] = CHECKSUM
    """Of the file: ``sha256:...`` or ``md5:...``. The default is that of the same file at an earlier address."""


def fetch(options: Options, folder: Path) -> None:
    """Download the published file, 12.7 GB if it is stored uncompressed.

    Raises:
        UserError: it cannot be had, or is another than expected.
    """
    fetch_files([replace(FILES[0], checksum=options.checksum)], folder, options.mirror)


def prepare(options: Options, folder: Path) -> Prepared:
    """The images of the chosen factors, [3, 64, 64] or smaller.

    Raises:
        UserError: the raw file is missing, damaged, or not in the published layout.
    """
    path = fetched(folder, FILES[0].name, options.checksum)
    return mpi3d.prepare(path, options, (mpi3d.SIZES,))

"""MPI3D-realistic: 1,036,800 realistic renderings, 64×64 in colour, of an object at the end of a robot arm.

    mpi3d_realistic.npz    images.npy, uint8 [1036800, 64, 64, 3],
                           or [460800, 64, 64, 3] of disentanglement_lib's smaller grid

Factors, their order and meaning, the layout and the paper are in ``pipeline/data/shared/mpi3d.py``.
``checksum`` is an option, because the md5 here is that of the file at an earlier address; nobody has
published one for today's file.
"""

from __future__ import annotations

from pipeline.data.shared import mpi3d

__all__ = ["ABOUT", "Options", "fetch", "prepare"]

VARIANT = mpi3d.VARIANTS["mpi3d_realistic"]
ABOUT, fetch, prepare = VARIANT.about, VARIANT.fetch, VARIANT.prepare


class Options(mpi3d.Mpi3dOptions):
    """``datasets.mpi3d_realistic`` in params.yaml."""

    checksum: mpi3d.Checksum = VARIANT.checksum
    """Of the file: ``sha256:...`` or ``md5:...``. The default is that of the same file at an earlier
    address."""

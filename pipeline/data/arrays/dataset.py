"""The interface of a data set: its card, its options, and the arrays that preparing it returns.

A file in ``pipeline/data/datasets/`` defines four names:

    ABOUT                      its card: the facts that are known before anything is downloaded
    Options                    the keys under ``datasets.<name>`` in params.yaml
    fetch(options, folder)     completes data/raw/<name>; does nothing if it is complete
    prepare(options, folder)   data/raw/<name> -> Prepared

Images are uint8 [N, C, H, W], channels in the order red, green, blue, 0 black to 255 white; binary images are
bit-packed rows. They come in blocks, one at a time, so that no data set has to fit into memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipeline.data.arrays.holdout import Combination
from pipeline.data.files.download import RemoteFile, holds, local_path, pinned
from pipeline.errors import UserError

__all__ = ["About", "CommonOptions", "DownloadOptions", "Prepared", "fetched", "no_other_test_part"]


@dataclass(frozen=True, kw_only=True)
class About:
    """The card of a data set: the facts that are known without its files."""

    title: str
    what: str
    """One or two sentences: what the images show, their number and size."""
    source: str
    """The address of its home page."""
    licence: str
    """In the words of the source."""
    citation: str
    """Authors, title, venue and year, arXiv number or DOI."""
    factors: Mapping[str, int] = field(default_factory=dict)
    """Ground-truth factor -> number of values, in the order of ``factors.npy``; empty if there are none."""
    labels: tuple[str, ...] = ()
    """Names of the classes."""
    attributes: tuple[str, ...] = ()
    """Names of continuous quantities that are known for every image."""
    files: tuple[RemoteFile, ...] = ()
    """The published files it is made from. A file without addresses has to be brought by the user."""


class CommonOptions(BaseModel):
    """The keys that every data set has under ``datasets.<name>`` in params.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    original_size: ClassVar[int | None]
    """Pixels along a side of the original images; None if only the images themselves show it."""
    smallest_size: ClassVar[int] = 8
    """Pixels along a side of the smallest images that the networks accept."""

    test_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Fraction of the images held out from training and used for scores; stratified if there are labels."""
    validation_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Fraction of the images kept out of training and test, for choices; stratified if there are labels."""
    split_seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the draw of these parts, which are the same for all models of a study."""
    hold_out: Combination | list[Combination] = Field(default_factory=list)
    """Factor -> indices: the test part is the images with one of these values of each factor. A list of such
    combinations holds out the images of any of them."""
    image_size: int | None = None
    """Scale images down to this many pixels along a side, by averaging areas; null keeps their size."""

    @field_validator("image_size")
    @classmethod
    def _only_down(cls, value: int | None) -> int | None:
        largest = cls.original_size
        if value is not None and not cls.smallest_size <= value <= (largest or value):
            raise ValueError(
                f"images are scaled down only, from {largest or 'their'} pixels along a side to "
                f"{cls.smallest_size} or more (leave the key out to keep the original size)"
            )
        return value


class DownloadOptions(CommonOptions):
    """The keys of data sets that are downloaded."""

    mirror: str | None = None
    """A folder, or an http(s) address, that has the files under their official names; it is tried first.
    Checksums are verified as for any other address. The environment variable BETABENCH_DOWNLOADS sets it for
    all data sets."""

    @field_validator("mirror")
    @classmethod
    def _mirror_is_an_address(cls, value: str | None) -> str | None:
        if value is not None:
            local_path(value)
        return value


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A data set as arrays; its images are not read yet."""

    blocks: Iterable[np.ndarray]
    """uint8 [n, C, H, W] at a time, 0 black to 255; or bit-packed rows uint8 [n, ceil(C H W / 8)], see
    ``storage``."""
    count: int
    """N, the number of images in all blocks."""
    storage: Literal["uint8", "bits"]
    """``bits``: ``numpy.packbits`` order, 1 is white."""
    shape: tuple[int, int, int]
    """(C, H, W) of one image as a network sees it."""
    places: np.ndarray | None = None
    """int64 [N], a permutation: the row in which the k-th image of the blocks is stored; None: in their
    order."""
    source: str | None = None
    """Where these images come from, if not from the home page of the data set."""
    factors: np.ndarray | None = None
    """int16 [N, K]: the index of each factor's value, from 0 without gaps; None if no ground truth exists."""
    factor_names: tuple[str, ...] = ()
    factor_sizes: tuple[int, ...] = ()
    """The number of values of each factor in these images."""
    grid: bool = False
    """Every combination of factors appears once, in lexicographic order."""
    labels: np.ndarray | None = None
    """int64 [N]."""
    label_names: tuple[str, ...] = ()
    attributes: np.ndarray | None = None
    """float32 [N, A]: continuous quantities."""
    attribute_names: tuple[str, ...] = ()
    official_test: np.ndarray | None = None
    """bool [N]: the test part that the authors chose; None if there is none, or ``split`` is ``drawn``."""
    official_validation: np.ndarray | None = None
    """bool [N]: the authors' validation part, likewise."""
    nuisance: str | None = None
    """How the stored images, of one channel, get their colours each time they are drawn
    (``vaecore.nuisances``)."""
    picture: np.ndarray | None = None
    """uint8 [3, H', W']: the picture from which the nuisance cuts backgrounds."""
    noise_sigma: float | None = None
    """σ of the noise in the images, in units of their range [0, 1]; None if it is not known."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Further entries of ``meta.json``."""

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """[N, C, H, W] or [N, bytes] of all images as stored, with one channel if there is a nuisance."""
        channels, height, width = self.shape
        if self.nuisance is not None:
            channels = 1
        if self.storage == "bits":
            return (self.count, -(-channels * height * width // 8))
        return (self.count, channels, height, width)

    def meta(self, about: About) -> dict[str, Any]:
        """Everything but the arrays, as plain values."""
        described: dict[str, Any] = {
            "title": about.title,
            "what": about.what,
            "source": self.source or about.source,
            "licence": about.licence,
            "citation": about.citation,
            "shape": list(self.shape),
            "storage": self.storage,
            "factor_names": list(self.factor_names),
            "factor_sizes": list(self.factor_sizes),
            "grid": self.grid,
            **self.details,
        }
        if self.nuisance is not None:
            described["nuisance"] = self.nuisance
        if self.noise_sigma is not None:
            described["noise_sigma"] = self.noise_sigma
        if self.label_names:
            described["label_names"] = list(self.label_names)
        if self.attribute_names:
            described["attribute_names"] = list(self.attribute_names)
        return described


def fetched(folder: Path, name: str, checksum: str | None) -> Path:
    """The path of a raw file, verified again. ``folder`` is data/raw/<data set>.

    Args:
        checksum: the expected one; None uses the one that was kept at the first download.

    Raises:
        UserError: the file is missing, or differs from the one that was fetched.
    """
    path = folder / name
    if not holds(path, checksum or pinned(path)):
        raise UserError(
            f"{path} is missing, or its checksum differs from that of the file that was fetched. "
            f"Fetch it again: dvc repro --force fetch@{folder.name}"
        )
    return path


def no_other_test_part(options: Any, official: str) -> None:
    """Check that no test part is drawn if ``options.split`` is ``official``.

    Raises:
        ValueError: the options request two test parts.
    """
    if options.split == "official" and options.test_fraction:
        raise ValueError(
            f"split: official has {official} as the test part, so test_fraction must be 0: leave it out, or "
            "set split to drawn"
        )

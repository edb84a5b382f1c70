"""What a data set is made of: what is known of it beforehand, the options that all have, and what preparing one gives.

A file in ``pipeline/data/datasets/`` has four things, and nothing else knows it:

    ABOUT                      what there is to know before a byte of it is here: its card
    Options                    what params.yaml may say under ``datasets.<name>``
    fetch(options, folder)     makes data/raw/<name> complete; does nothing where it is already
    prepare(options, folder)   data/raw/<name> -> Prepared

Images are uint8 [N, C, H, W], channels in the order red, green, blue, 0 black to 255 white; binary ones are bit-packed
rows. They come in blocks, one at a time, so that no data set has to fit into memory.
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
    """A data set's card, as far as it is known without its bytes."""

    title: str
    what: str
    """In a sentence or two: what one sees, how many images of which size."""
    source: str
    """The address of its home."""
    licence: str
    """In the words of the source."""
    citation: str
    """Authors, title, where and when, arXiv number or DOI."""
    factors: Mapping[str, int] = field(default_factory=dict)
    """Ground-truth factor -> number of values, in the order of ``factors.npy``; empty where there are none."""
    labels: tuple[str, ...] = ()
    """Names of the classes."""
    attributes: tuple[str, ...] = ()
    """Names of continuous quantities known of every image."""
    files: tuple[RemoteFile, ...] = ()
    """What it is made from; empty where that is no published file. A file without addresses is the user's to bring."""


class CommonOptions(BaseModel):
    """The keys that every data set has under ``datasets.<name>`` in params.yaml. A data set's ``Options`` adds its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    original_size: ClassVar[int | None]
    """Pixels along a side of the images as they come; None where that is found out only from the images."""
    smallest_size: ClassVar[int] = 8
    """The smallest that the networks take."""

    test_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Part of the images held out from training, and used for scores; stratified where there are labels."""
    validation_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Part of the images kept from training and from the test part, for choices; stratified where there are labels."""
    split_seed: Annotated[int, Field(ge=0)] = 0
    """Draws these parts; the same ones for all models of a study."""
    hold_out: Combination | list[Combination] = Field(default_factory=list)
    """Factor -> indices: images that have all of these are the test part (a list: any of the combinations)."""
    image_size: int | None = None
    """Scale images down to this many pixels along a side, by averaging areas; null keeps them as they come."""

    @field_validator("image_size")
    @classmethod
    def _only_down(cls, value: int | None) -> int | None:
        largest = cls.original_size
        if value is not None and not cls.smallest_size <= value <= (largest or value):
            raise ValueError(
                f"images are scaled down only, from {largest or 'their'} pixels along a side to "
                f"{cls.smallest_size} at the least (leave the key out to keep them as they are)"
            )
        return value


class DownloadOptions(CommonOptions):
    """The keys of data sets that are downloaded."""

    mirror: str | None = None
    """A folder, or an http(s) address, that has the files under their official names: it is tried first. Their checksums are
    verified all the same. BETABENCH_DOWNLOADS in the environment does it for all data sets."""

    @field_validator("mirror")
    @classmethod
    def _can_be_had(cls, value: str | None) -> str | None:
        if value is not None:
            local_path(value)
        return value


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A data set as arrays, its images yet to come."""

    blocks: Iterable[np.ndarray]
    """uint8 [n, C, H, W] at a time, 0 black to 255; or bit-packed rows uint8 [n, ceil(C H W / 8)], see ``storage``."""
    count: int
    """N: how many images the blocks have in all."""
    storage: Literal["uint8", "bits"]
    """``bits``: ``numpy.packbits`` order, 1 is white."""
    shape: tuple[int, int, int]
    """(C, H, W) of one image as a network sees it."""
    places: np.ndarray | None = None
    """int64 [N]: the row that the k-th image of the blocks is stored in, a permutation; None: they come in order."""
    source: str | None = None
    """Where these very images come from, where that is not the home of the data set."""
    factors: np.ndarray | None = None
    """int16 [N, K]: the index of each factor's value, from 0 without gaps; None where no ground truth exists."""
    factor_names: tuple[str, ...] = ()
    factor_sizes: tuple[int, ...] = ()
    """How many values each factor has here."""
    grid: bool = False
    """Every combination of factors is there once, in lexicographic order."""
    labels: np.ndarray | None = None
    """int64 [N]."""
    label_names: tuple[str, ...] = ()
    attributes: np.ndarray | None = None
    """float32 [N, A]: continuous quantities."""
    attribute_names: tuple[str, ...] = ()
    official_test: np.ndarray | None = None
    """bool [N]: the test part that the data set comes with; None where it has none, or it is not wanted."""
    official_validation: np.ndarray | None = None
    """bool [N]: likewise the validation part."""
    nuisance: str | None = None
    """How the stored images, of one channel, are dressed in colour each time they are drawn (``vaecore.nuisances``)."""
    picture: np.ndarray | None = None
    """uint8 [3, H', W']: what the nuisance cuts its backgrounds from."""
    noise_sigma: float | None = None
    """σ of the noise in the images, in units of their range [0, 1]; None where it is not known."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What else is worth keeping in ``meta.json``."""

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Of all images as they are stored: [N, C, H, W] or [N, bytes]. A nuisance dresses images of one channel."""
        channels, height, width = self.shape
        if self.nuisance is not None:
            channels = 1
        if self.storage == "bits":
            return (self.count, -(-channels * height * width // 8))
        return (self.count, channels, height, width)

    def meta(self, about: About) -> dict[str, Any]:
        """All but the arrays, as plain values."""
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
    """A raw file of the data set whose folder this is, verified again. None takes the checksum of what came first.

    Raises:
        UserError: it is missing, or another one than was fetched.
    """
    path = folder / name
    if not holds(path, checksum or pinned(path)):
        raise UserError(
            f"{path} is missing, or not what was fetched (its checksum is another). "
            f"Fetch it again: dvc repro --force fetch@{folder.name}"
        )
    return path


def no_other_test_part(options: Any, official: str) -> None:
    """Check that no test part is drawn where the official one is taken. ``options`` has ``split``: "official" or "drawn".

    Raises:
        ValueError: two test parts are asked for.
    """
    if options.split == "official" and options.test_fraction:
        raise ValueError(
            f"split: official has {official} as the test part, so test_fraction must be 0: leave it out, or set split to drawn"
        )

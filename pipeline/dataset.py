"""What a data set is made of: the options that all have, and the arrays that preparing one gives.

A file in ``pipeline/datasets/`` has three things, and nothing else knows it:

    Options                    what params.yaml may say under ``datasets.<name>``
    fetch(options, folder)     makes data/raw/<name> complete; does nothing where it is already
    prepare(options, folder)   data/raw/<name> -> Prepared
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = ["CommonOptions", "Prepared"]


class CommonOptions(BaseModel):
    """The keys that every data set has under ``datasets.<name>`` in params.yaml. A data set's ``Options`` adds its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    original_size: ClassVar[int]
    """Pixels along a side of the images as they come."""
    smallest_size: ClassVar[int] = 8
    """The smallest that the networks take."""

    test_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Part of the images held out from training; stratified where there are labels."""
    split_seed: Annotated[int, Field(ge=0)] = 0
    """Draws the held-out part; one part for all models of a study."""
    image_size: int | None = None
    """Scale images down to this many pixels along a side, by averaging areas; null keeps them as they come."""

    @field_validator("image_size")
    @classmethod
    def _only_down(cls, value: int | None) -> int | None:
        if value is not None and not cls.smallest_size <= value <= cls.original_size:
            raise ValueError(
                f"images are scaled down only, from {cls.original_size} pixels along a side to "
                f"{cls.smallest_size} at the least (leave the key out to keep them as they are)"
            )
        return value


@dataclass(frozen=True)
class Prepared:
    """A data set as arrays, ready to be stored."""

    images: np.ndarray
    """uint8 [N, C, H, W], 0 black to 255; or bit-packed rows uint8 [N, ceil(C H W / 8)], see ``storage``."""
    storage: Literal["uint8", "bits"]
    """``bits``: ``numpy.packbits`` order, 1 is white."""
    shape: tuple[int, int, int]
    """(C, H, W) of one image."""
    source: str
    """Where it comes from, in words or as a URL."""
    licence: str
    citation: str
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
    details: Mapping[str, Any] = field(default_factory=dict)
    """What else is worth keeping in ``meta.json``."""

    def meta(self) -> dict[str, Any]:
        """All but the arrays, as plain values."""
        described: dict[str, Any] = {
            "source": self.source,
            "licence": self.licence,
            "citation": self.citation,
            "shape": list(self.shape),
            "storage": self.storage,
            "factor_names": list(self.factor_names),
            "factor_sizes": list(self.factor_sizes),
            "grid": self.grid,
            **self.details,
        }
        if self.label_names:
            described["label_names"] = list(self.label_names)
        return described

"""The arrays that metrics are functions of: names, shapes, units, meanings, and where each comes from.

A metric needs the arrays that its parameters are named after (`metrics.parameters`). Sets of names, such as
the arrays of other seeds, are read off this table everywhere. `docs/metrics/README.md` prints it;
`metrics.arrays` checks values.

    N images   L latents   G groups of latents (often each is one)   K ground-truth factors
    P peers    M samples   C, H, W channels, height and width of an image
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

__all__ = ["ARRAYS", "PEER_OF", "Array", "Source", "arrays_from"]


class Source(Enum):
    """Where an array comes from."""

    PASS = "a pass of the trained model over the data set"
    BATCHES = "that pass, batch by batch"
    """All images and reconstructions may not fit into memory."""
    DRAWN = "a draw of images"
    PEERS = "the passes of models that differ in the seed alone"
    DATA = "the data set"
    FACT = "a single value of the trial"


@dataclass(frozen=True)
class Array:
    """A parameter that metrics may have."""

    name: str
    shape: str
    """A letter per axis, as in "N, L"; "" is a single value."""
    values: Literal["real", "integer", "bool", "generator"]
    unit: str
    """ "" where it has none."""
    source: Source
    meaning: str
    held_out: bool = False
    """Its images are held-out ones alone, where some are held out from training."""
    of: str = ""
    """The array of another model that a peer's array is."""

    @property
    def per_image(self) -> bool:
        """Whether it has a row for each image, the same images as those of other arrays."""
        return self.shape != "" and self.source is not Source.DRAWN

    def count(self, array: Any) -> int:
        """The number of its rows, which are images."""
        return array.shape[1] if self.source is Source.PEERS else len(array)

    def rows(self, array: Any, chosen: Any) -> Any:
        """Some of its rows, by their numbers or by a bool for each."""
        return array[:, chosen] if self.source is Source.PEERS else array[chosen]


ARRAYS = {
    array.name: array
    for array in (
        Array("codes", "N, L", "real", "", Source.PASS, "what represents an image"),
        Array("mean", "N, L", "real", "", Source.PASS, "mean of q(z | x)"),
        Array("std", "N, L", "real", "", Source.PASS, "standard deviation of q(z | x); 0: deterministic"),
        Array("rate", "N", "real", "nats", Source.PASS, "KL of q(z | x) from the prior; +inf: deterministic"),
        Array("rate_per_group", "N, G", "real", "nats", Source.PASS, "its parts, which add up to `rate`"),
        Array(
            "distortion", "N", "real", "nats", Source.PASS, "−ln p(x | z) of one z ~ q(z | x)", held_out=True
        ),
        Array("images", "N, C, H, W", "real", "", Source.BATCHES, "x, in [0, 1]", held_out=True),
        Array(
            "reconstructions", "N, C, H, W", "real", "", Source.BATCHES,
            "the expected image of the code; a Gaussian mean may leave [0, 1]", held_out=True,
        ),
        Array(
            "real", "N, C, H, W", "real", "", Source.DRAWN, "images of the data set, in [0, 1]", held_out=True
        ),
        Array(
            "samples", "M, C, H, W", "real", "", Source.DRAWN,
            "images that the model makes of z drawn from the prior, in [0, 1]",
        ),
        Array("peer_mean", "P, N, L", "real", "", Source.PEERS, "`mean` of P other seeds", of="mean"),
        Array("peer_std", "P, N, L", "real", "", Source.PEERS, "`std` of P other seeds", of="std"),
        Array(
            "factors", "N, K", "integer", "", Source.DATA,
            "ground truth; only which rows share a value matters, unless the metric needs numbers",
        ),
        Array("labels", "N", "integer", "", Source.DATA, "classes; only which rows share one matters"),
        Array(
            "targets", "N or N, K", "integer", "", Source.DATA,
            "what a probe is to predict: labels, or factors where there are no labels",
        ),
        Array("test", "N", "bool", "", Source.DATA, "rows that were held out from training; may be missing"),
        Array("dimensions", "", "integer", "", Source.FACT, "values per image, C·H·W"),
        Array(
            "bin_width", "", "real", "", Source.FACT,
            "of one of 256 grey levels for a likelihood that is a density on [0, 1]; 1 for a probability",
        ),
        Array("rng", "", "generator", "", Source.FACT, "the only source of random numbers"),
    )
}  # fmt: skip
"""Name -> array."""

PEER_OF = {array.name: array.of for array in ARRAYS.values() if array.of}
"""Array of peers -> the array of each peer that it is made of."""


def arrays_from(*sources: Source) -> frozenset[str]:
    """The names of the arrays that come from any of the sources."""
    return frozenset(array.name for array in ARRAYS.values() if array.source in sources)

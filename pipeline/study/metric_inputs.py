"""What a metric takes, told by the names of its parameters (``metrics.arrays`` has the shapes), and what a trial can give.

codes, mean, std, rate,               one pass of the trial's model over the data set
rate_per_group, distortion
images, reconstructions               likewise, batch by batch, [0, 1]
real, samples                         so many images of each as evaluation.samples says: of the data, of the prior
peer_mean, peer_std                   mean and std of the trials that differ from this one in the seed alone
factors, labels                       ground truth; targets: the labels, or where there are none the factors. A metric that
                                      takes factors as numbers gets the continuous attributes where there are no factors
test                                  rows held out from training, or None
dimensions                            C·H·W
bin_width                             of one of 256 grey levels where the likelihood is a density on [0, 1]; 1 where it is
                                      a probability
rng                                   a generator of the trial's and the metric's own
"""

from __future__ import annotations

import inspect
from collections.abc import Collection

import metrics

__all__ = ["BY_BATCH", "DRAWN", "PEERS", "PEER_OF", "TRUTH", "arguments", "origin", "truth_of"]

BY_BATCH = {"images", "reconstructions"}
"""Reconstructions of a large data set fit in no memory."""
PASS = {"codes", "mean", "std", "rate", "rate_per_group", "distortion"}
DRAWN = {"real", "samples"}
PEER_OF = {"peer_mean": "mean", "peer_std": "std"}
PEERS = set(PEER_OF)
TRUTH = {"factors", "labels", "targets", "test"}
"""The data set's own."""
FACTS = {"dimensions", "bin_width", "rng"}
ARRAYS = BY_BATCH | PASS | DRAWN | PEERS | TRUTH | FACTS


def arguments(name: str) -> set[str]:
    """The arrays that a metric takes. Raises ValueError where it asks for what there is not."""
    function = metrics.function(name)
    file = f"{function.__module__.replace('.', '/')}.py"
    taken = set()
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in ARRAYS:
            taken.add(parameter.name)
        elif parameter.kind is not parameter.KEYWORD_ONLY:
            raise ValueError(
                f"{file}: parameter {parameter.name!r} is no array that there is. There are: "
                f"{', '.join(sorted(ARRAYS))}. A setting belongs after the `*`, with a default."
            )
    if taken & BY_BATCH and taken - BY_BATCH:
        raise ValueError(
            f"{file}: a metric of images gets them batch by batch, and so it can take nothing else; "
            f"it asks for: {', '.join(sorted(taken - BY_BATCH))}."
        )
    return taken


def truth_of(metric: str, argument: str, *, factors: bool, attributes: bool) -> str | None:
    """Which array of the data set a metric gets as its ``argument``: factors may be attributes. None where there is none."""
    if argument != "factors" or factors:
        return argument
    return "attributes" if attributes and metrics.describe(metric).numbers else None


def origin(taken: Collection[str]) -> set[str]:
    """The arrays that the trial's own model has to be run for, so that a metric gets what it takes."""
    return set(taken) & (PASS | DRAWN)

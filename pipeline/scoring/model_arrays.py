"""The arrays that metrics need of one trained model: on which images, with which seeds, how many of them.

A trial's scores depend on this module, and on those that it imports, but not on the task that runs it
(``pipeline.scoring.model_task``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from metrics.vocabulary import Source, arrays_from
from pipeline.scoring.computation import seed_of
from pipeline.scoring.encoding import collect
from pipeline.scoring.sampling import real, samples
from vaecore.batch import Sampler
from vaecore.families import Family

__all__ = ["facts_of", "model_arrays"]


def model_arrays(
    names: Collection[str],
    family: Family,
    sampler: Sampler,
    rows: np.ndarray | None,
    *,
    key: str,
    batch_size: int,
    largest: int,
    device: str = "cpu",
    watch: Sequence[Callable[[np.ndarray, np.ndarray], None]] = (),
) -> dict[str, np.ndarray]:
    """The arrays ``names`` of the model of the trial ``key``.

    Args:
        names: arrays of the model's pass, real and samples.
        rows: bool [N], the held-out images; None if no image is held out.
        largest: most images in real and in samples.
        watch: functions that get every batch of held-out images and reconstructions.
    """
    found: dict[str, np.ndarray] = {}
    passed = [name for name in names if name in arrays_from(Source.PASS)]
    if passed or watch:
        seed = seed_of(key, "posterior samples")
        found = collect(
            family, sampler, passed, batch_size=batch_size, seed=seed, rows=rows, device=device, watch=watch
        )
    count = min(largest, len(sampler.images) if rows is None else int(rows.sum()))
    if "real" in names:
        found["real"] = real(sampler.images, rows, count, seed_of(key, "real images"))
    if "samples" in names:
        seed = seed_of(key, "prior samples")
        found["samples"] = samples(
            family, count, seed, batch_size=batch_size, sampler=sampler, rows=rows, device=device
        )
    return found


def facts_of(family: Family, sampler: Sampler) -> dict[str, float]:
    """The single values that metrics need of a model: dimensions and bin_width."""
    return {"dimensions": int(np.prod(sampler.images.shape)), "bin_width": family.bin_width}

"""The split of a data set into a training part, a validation part and a test part.

    part 0    training
    part 1    validation: neither trained on nor scored, for the user's choices
    part 2    test: scored

A fraction p of N images is round(p N) of them, drawn without replacement with a seed of its own, so that
every model of a study has the same parts. If there are labels, the draw is stratified: of a class of n
images, p n are held out, up to rounding (the largest remainders are rounded up). The validation part is drawn
from the images that the test part leaves; its fraction also refers to all N images.

The test part may instead be the one that the data set's authors chose, or combinations of factors: all images
in which each named factor has one of the named values, so that a model never sees these values together (a
heart at the right, for example).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from pipeline.store.ready import TEST, TRAIN, VALIDATION

__all__ = ["Combination", "combined", "hold_out", "parts"]

Combination = dict[str, Annotated[list[int], Field(min_length=1)]]
"""Factor -> indices of its values."""


def parts(
    count: int,
    *,
    test_fraction: float = 0.0,
    validation_fraction: float = 0.0,
    seed: int = 0,
    labels: np.ndarray | None = None,
    test: np.ndarray | None = None,
    validation: np.ndarray | None = None,
) -> np.ndarray | None:
    """uint8 [count], the part of each image; None if all are trained on.

    Args:
        labels: int [count], for a stratified draw.
        test: bool [count], a fixed test part; ``test_fraction`` must then be 0.
        validation: bool [count], a fixed validation part, which needs a fixed test part.

    Raises:
        ValueError: a part would be empty, or the arguments contradict each other.
    """
    if test is not None and test_fraction:
        raise ValueError(
            f"the test part is fixed, so a fraction of {test_fraction} cannot be drawn for it: leave one out"
        )
    if test is None:
        test = hold_out(count, test_fraction, seed, labels)
    elif not 0 < test.sum() < count:
        raise ValueError(f"{int(test.sum())} of {count} images are in the test part; both parts need some")
    found = np.zeros(count, dtype=np.uint8)
    if test is not None:
        found[test] = TEST
    if validation is not None:
        assert test is not None
        assert not (test & validation).any()
        assert not validation_fraction
        found[validation] = VALIDATION
    if validation_fraction:
        if test is None:
            raise ValueError(
                "scores are never computed on the validation part, so there must be a test part: set "
                "test_fraction too (or instead, if one held-out part is enough)"
            )
        left = np.flatnonzero(found == TRAIN)
        of_left = validation_fraction * count / len(left)
        if of_left >= 1:
            raise ValueError(
                f"the test part has {len(left) and count - len(left)} and the validation part "
                f"{validation_fraction * count:.0f} of {count} images; none is left to train on"
            )
        chosen = hold_out(len(left), of_left, seed + 1, None if labels is None else labels[left])
        found[left[chosen]] = VALIDATION
    return found if found.any() else None


def combined(
    factors: np.ndarray,
    names: Sequence[str],
    sizes: Sequence[int],
    combinations: Mapping[str, Sequence[int]] | Sequence[Mapping[str, Sequence[int]]],
) -> np.ndarray:
    """bool [N]: the images that have one of the combinations of factors.

    Args:
        factors: int [N, K], the index of each factor's value.

    Raises:
        ValueError: an unknown factor, or an index that a factor does not have.
    """
    listed = [combinations] if isinstance(combinations, Mapping) else combinations
    found = np.zeros(len(factors), dtype=bool)
    for combination in listed:
        chosen = np.ones(len(factors), dtype=bool)
        for name, indices in combination.items():
            if name not in names:
                raise ValueError(f"there is no factor {name!r}; factors: {', '.join(names) or 'none'}")
            k = list(names).index(name)
            outside = [index for index in indices if not 0 <= index < sizes[k]]
            if outside:
                raise ValueError(f"factor {name!r} has the indices 0 to {sizes[k] - 1} here, got {outside}")
            chosen &= np.isin(factors[:, k], indices)
        found |= chosen
    return found


def hold_out(count: int, fraction: float, seed: int, labels: np.ndarray | None = None) -> np.ndarray | None:
    """bool [count], the images that are held out; None for a fraction of 0.

    Args:
        labels: int [count], for a stratified draw.

    Raises:
        ValueError: the fraction holds out no image, or all of them.
    """
    if fraction == 0:
        return None
    total = int(np.floor(fraction * count + 0.5))
    if not 0 < total < count:
        raise ValueError(
            f"a fraction of {fraction:.6g} holds out {total} of {count} images; both parts need some"
        )
    classes = np.zeros(count, dtype=np.int64) if labels is None else np.unique(labels, return_inverse=True)[1]
    exact = np.bincount(classes) * (total / count)
    quota = np.floor(exact).astype(np.int64)
    largest = np.argsort(quota - exact, kind="stable")[: total - quota.sum()]
    quota[largest] += 1

    order = np.random.default_rng(seed).permutation(count)
    chosen = np.zeros(count, dtype=bool)
    for number, size in enumerate(quota):
        chosen[order[classes[order] == number][:size]] = True
    return chosen

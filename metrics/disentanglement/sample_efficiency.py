"""Downstream sample efficiency: the accuracy from few labels as a share of the accuracy from many.

    efficiency = A(100) / A(10,000)
    A(n)       = 1/K Σ_k accuracy on the test rows of a classifier of factor v_k, fitted on n labelled rows

z, v    codes [N, L], the input of the classifiers, and factors [N, K]; a factor with one value is left out
A       once with gradient-boosted trees (`metrics.boosting`; the main value) and once with logistic
        regression (`metrics.logistic`)

The labelled rows are the first n of one random order of the training rows. So a smaller set is part of a
larger one, and all are tested on the same rows. If there are fewer than n training rows, A(n) uses all of
them. Higher is better: near 1, a hundred labels are enough. It may exceed 1 by chance. It is 0 if A(10,000)
is 0.

F. Locatello, S. Bauer, M. Lucic, G. Rätsch, S. Gelly, B. Schölkopf, O. Bachem, "Challenging Common
Assumptions in the Unsupervised Learning of Disentangled Representations", 2019, arXiv:1811.12359: the ratio
of average accuracies from 100 and from 10,000 samples, 5,000 to test. Their logistic regression chooses its
penalty by cross-validation, on the codes without scaling. Here the codes are standardised and the penalty is
scikit-learn's default (C = 1), and the trees are the histogram version of theirs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics import arrays, boosting, classes, logistic, splits
from metrics.standardised import standardised

__all__ = ["sample_efficiency"]

TITLE = "Downstream sample efficiency"
MAIN = "sample_efficiency_trees"
PARTS = ("sample_efficiency_logistic",)
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, math.inf)
BLIND_TO = (
    "How good the accuracy is in the end: codes that know nothing are at chance with few labels and with "
    "many, which is a ratio of 1. Read it beside the accuracies."
)
COST = (
    "One set of boosted trees and a logistic regression per factor and number of labels; at 10,000 rows, "
    "four times what DCI's trees cost at most."
)

Classifier = Callable[[NDArray[np.float64], NDArray[np.intp], NDArray[np.float64]], NDArray[np.intp]]


def sample_efficiency(
    codes: ArrayLike,
    factors: ArrayLike,
    rng: np.random.Generator,
    *,
    few: int = 100,
    many: int = 10_000,
    also: Sequence[int] = (10, 1_000),
    test_rows: int = splits.TEST_ROWS,
    test: ArrayLike | None = None,
    trees: int = 100,
) -> dict[str, float]:
    """Codes [N, L], factors [N, K] -> {"sample_efficiency_trees", "sample_efficiency_logistic": the ratio of
    accuracies from `few` and from `many` labels, "sample_efficiency_trees_<n>",
    "sample_efficiency_logistic_<n>": the accuracies, n also in `also`}.

    test: bool [N], rows held out; without any, rows are drawn (`metrics.splits`). trees: stages of boosting.
    A class that no labelled row has is never predicted. Raises ValueError when no factor varies, when `few`
    or fewer rows are left to train on (the ratio would be 1 whatever the codes), when `many` is not larger
    than `few`, on settings below 1, on NaN or infinity.
    """
    z, v = arrays.codes_and_factors(codes, factors)
    rng = arrays.generator(rng)
    few = arrays.whole("few", few, 1, "the study uses 100")
    many = arrays.whole("many", many, few + 1, f"more than few = {few}; the study uses 10,000")
    numbers = sorted(
        {
            few,
            many,
            *(arrays.whole("also", n, 1, "the study uses 10 and 1,000 beside 100 and 10,000") for n in also),
        }
    )
    trees = arrays.whole("trees", trees, 1, "the study uses 100")
    # At least the study's number, also if all numbers of labels are smaller: if no rows are held out, it sets
    # the share of test rows.
    train_rows = max(*numbers, splits.TRAIN_ROWS)
    train, tested = splits.split(len(z), rng, test, train_rows=train_rows, test_rows=test_rows)
    if len(train) <= few:
        raise ValueError(
            f"codes: expected more than {few} training rows, got {len(train)}; "
            "with all rows few there is nothing to compare: pass more images, or a smaller `few`"
        )
    varying = classes.varying("factors", v, train)

    order = rng.permutation(train)
    standard = standardised(z[np.concatenate([order, tested])], slice(len(order)))
    learnt, queries = standard[: len(order)], standard[len(order) :]
    result: dict[str, float] = {}
    accuracies: dict[str, float] = {}
    kinds: dict[str, Classifier] = {"trees": partial(_trees, trees), "logistic": logistic.answers}
    for kind, classifier in kinds.items():
        at = {
            n: float(
                np.mean([classifier(learnt[:n], f.y[order[:n]], queries) == f.y[tested] for f in varying])
            )
            for n in sorted({min(n, len(order)) for n in numbers})
        }
        low, high = at[few], at[min(many, len(order))]
        result[f"sample_efficiency_{kind}"] = low / high if high else 0.0
        accuracies |= {f"sample_efficiency_{kind}_{n}": at[min(n, len(order))] for n in numbers}
    return result | accuracies


def _trees(
    trees: int, z: NDArray[np.float64], y: NDArray[np.intp], queries: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Codes z [N, L] with classes y [N] -> the class of each of the codes `queries` [M, L]."""
    present, index = np.unique(y, return_inverse=True)
    found: NDArray[np.intp] = present[boosting.fit(z, index, trees=trees).predict(queries)]
    return found

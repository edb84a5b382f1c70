"""Few-label accuracy: what a linear classifier reads from the codes when few images have a label.

    score_n = share of the test rows whose most probable class is theirs, mean over draws and targets

z       codes [N, L], standardised over all training rows, since codes need no label
y       one target that varies, labels [N] or a column of factors [N, K]
n       labels per class: 10 for the main value, 1 and 100 beside it; a draw is n labelled rows of every class

The classifier is `metrics.logistic`, the optimum of scikit-learn's LogisticRegression with its default
penalty, fitted on the labelled rows. Within a draw the rows of a smaller n are among those of a larger one.
If a class has fewer than n training rows, all of them are labelled.

A pure number between 0 and 1; higher is better. Guessing is the floor to compare with.

As many labels of each class is the convention of semi-supervised learning with VAEs: 10 and 100 per class are
the 100 and 1,000 labels on MNIST of D. P. Kingma, D. J. Rezende, S. Mohamed, M. Welling, "Semi-supervised
Learning with Deep Generative Models", 2014, arXiv:1406.5298, whose model M1 is a classifier on the codes of a
VAE.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics import arrays, classes, logistic, splits
from metrics.standardised import standardised

__all__ = ["few_label_accuracy"]

TITLE = "Accuracy of logistic regression from few labels"
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
BLIND_TO = (
    "How many codes a factor is spread over, as long as few labels suffice to find them. What is there but "
    "not linear."
)
COST = "O(draws · numbers of labels · targets) small logistic regressions."


def few_label_accuracy(
    codes: ArrayLike,
    targets: ArrayLike,
    rng: np.random.Generator,
    *,
    per_class: int = 10,
    also: Sequence[int] = (1, 100),
    draws: int = 5,
    train_rows: int = splits.TRAIN_ROWS,
    test_rows: int = splits.TEST_ROWS,
    test: ArrayLike | None = None,
) -> dict[str, float]:
    """Codes [N, L], targets [N] or [N, K] -> accuracies on the test rows:

    {"few_label_accuracy": from `per_class` labels of each class, "few_label_accuracy_<n>": for n = per_class
    and those in `also`}

    test: bool [N], rows held out; without any, rows are drawn (`metrics.splits`). A class without a training
    row is never answered. Raises ValueError when no target varies, when there are more than half as many
    classes as training rows (and over 20), when nothing is left to train on, on settings below 1, on NaN or
    infinity.
    """
    z, columns = arrays.codes_and_targets(codes, targets)
    rng = arrays.generator(rng)
    main = arrays.whole("per_class", per_class, 1, "10 per class is usual")
    numbers = sorted({main, *(arrays.whole("also", n, 1, "1 and 100 beside 10 are usual") for n in also)})
    draws = arrays.whole("draws", draws, 1, "5 to 10 are usual")
    train, tested = splits.split(len(z), rng, test, train_rows=train_rows, test_rows=test_rows)
    varying = classes.varying("targets", columns, train)
    standard = standardised(z[np.concatenate([train, tested])], slice(len(train)))
    learnt, queries = standard[: len(train)], standard[len(train) :]
    accuracy = dict.fromkeys(numbers, 0.0)
    for _ in range(draws):
        order = rng.random(len(train))  # the same for all targets
        for target in varying:
            y = target.y
            place = _place_in_class(y[train], order)
            for n in numbers:
                labelled = place < n
                answer = logistic.answers(learnt[labelled], y[train][labelled], queries)
                accuracy[n] += float(np.mean(answer == y[tested])) / (draws * len(varying))
    return {"few_label_accuracy": accuracy[main]} | {f"few_label_accuracy_{n}": accuracy[n] for n in numbers}


def _place_in_class(y: NDArray[np.intp], order: NDArray[np.float64]) -> NDArray[np.intp]:
    """Classes [N], random numbers [N] -> the number of rows of its class that come before each row [N]."""
    ranked = np.lexsort((order, y))
    count = np.bincount(y)
    place = np.empty(len(y), dtype=np.intp)
    place[ranked] = np.arange(len(y)) - np.repeat(np.cumsum(count) - count, count)
    return place

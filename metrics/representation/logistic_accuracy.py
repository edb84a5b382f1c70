"""Downstream accuracy: how well a linear classifier reads the class of an image from its code.

    p(y | z) = softmax( W (z − m) / s + b )_y     W, b: least regularised cross-entropy on the training rows
    score    = share of the held-out rows whose most probable class is theirs, mean over the targets that vary

z       codes [N, L]; y: one target, labels [N] or a column of factors [N, K]
m, s    mean and standard deviation of each code over the training rows; a code that is constant there counts
        as 0

The classifier is `metrics.logistic`, the optimum of scikit-learn's LogisticRegression with its default
penalty. It is trained on the rows that also trained the autoencoder, and scored on the rows that were held
out from both.

A pure number between 0 and 1; higher is better. Always guessing the most frequent class is the floor to
compare with.

Linear probes as a measure of representations: G. Alain, Y. Bengio, "Understanding intermediate layers using
linear classifier probes", 2016, arXiv:1610.01644.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics import arrays, classes, logistic
from metrics.standardised import standardised

__all__ = ["logistic_accuracy"]

TITLE = "Accuracy of logistic regression on the codes"
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
BLIND_TO = (
    "Which code carries what: any invertible linear map of the codes scores nearly alike. What is there but "
    "not linear."
)
COST = "One logistic regression per target, O(N·L·classes) per iteration."


def logistic_accuracy(
    codes: ArrayLike, targets: ArrayLike, rng: np.random.Generator, *, test: ArrayLike | None = None
) -> dict[str, float]:
    """Codes [N, L], targets [N] or [N, K] -> shares of the rows that are classified correctly:

    {"logistic_accuracy": test rows, "logistic_accuracy_train": the others, "logistic_accuracy_<k>": test
    rows, for every target k that varies, if there are several}

    test: bool [N], rows held out from training. Without any (None, or no True) a fifth of every class is held
    out, drawn from `rng` for each target. If the training rows have one class, that class is the answer; with
    constant codes the most frequent class is. A class that only test rows have is never answered. Raises
    ValueError when no target varies, when there is nothing to train on, when there are more than half as many
    classes as rows to learn from (and over 20), on fewer than 5 rows if a fifth is to be drawn, on NaN or
    infinity.
    """
    z, columns = arrays.codes_and_targets(codes, targets)
    rng = arrays.generator(rng)
    held_out = np.zeros(len(z), dtype=np.bool_) if test is None else arrays.row_mask("test", test)
    arrays.same_rows(codes=z, test=held_out)
    if held_out.all():
        raise ValueError(
            f"test: all {len(z)} rows are held out, none is left to train on; mark some as False"
        )
    separated = held_out.any()
    standard = standardised(z, ~held_out) if separated else z

    tested: dict[int, float] = {}
    trained: list[float] = []
    for target in classes.varying("targets", columns, ~held_out if separated else None):
        y = target.y
        if not separated:
            held_out = _a_fifth_of_each(y, rng)
            standard = standardised(z, ~held_out)
        correct = logistic.answers(standard[~held_out], y[~held_out], standard) == y
        tested[target.k] = correct[held_out].mean()
        trained.append(correct[~held_out].mean())
    score = classes.averaged("logistic_accuracy", tested, targets)
    main = {"logistic_accuracy": score["logistic_accuracy"]}
    return main | {"logistic_accuracy_train": float(np.mean(trained))} | score


def _a_fifth_of_each(y: NDArray[Any], rng: np.random.Generator) -> NDArray[np.bool_]:
    """A fifth of the rows of each class: a class of n rows gives n/5, rounded up or down.

    They are every fifth row of all rows, sorted by class and in random order within a class.
    """
    arrays.at_least("targets", len(y), 5)
    order = np.lexsort((rng.random(len(y)), y))
    drawn = np.zeros(len(y), dtype=np.bool_)
    drawn[order[rng.integers(5) :: 5]] = True
    return drawn

"""Nearest-neighbour accuracy: do images of one class lie together in the space of codes?

    ŷ(z)  = the most frequent class among the k training rows nearest to z, k = 5
    score = share of the test rows with ŷ = y, mean over the targets that vary

z        codes [N, L], standardised to mean 0 and standard deviation 1 over the training rows; a code that is
         constant there counts as 0
y        one target, labels [N] or a column of factors [N, K]
nearest  in Euclidean distance. Of classes with equally many votes, the one with the nearest neighbour

A pure number between 0 and 1; higher is better. Always guessing the most frequent class is the floor to
compare with. Among equally distant rows (constant or integer codes) the choice of those that vote is
arbitrary. At most 10,000 rows are trained on and 5,000 tested, as in `metrics.splits`.

T. Cover, P. Hart, "Nearest neighbor pattern classification", 1967. As a measure of representations: Z. Wu, Y.
Xiong, S. X. Yu, D. Lin, "Unsupervised Feature Learning via Non-Parametric Instance Discrimination", 2018,
arXiv:1805.01978 (there with cosine similarity and weighted votes; here plain ones).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics import arrays, classes, splits
from metrics.neighbours import nearest
from metrics.standardised import standardised

__all__ = ["knn_accuracy"]

TITLE = "Accuracy of k nearest neighbours among the codes"
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
BLIND_TO = (
    "Which code carries what: any rotation of standardised codes with one spread scores alike. Silent codes "
    "are scaled up to the others' spread, so many of them drown the few that speak."
)
COST = "O(train rows · test rows · L), once for all targets."


def knn_accuracy(
    codes: ArrayLike,
    targets: ArrayLike,
    rng: np.random.Generator,
    *,
    neighbours: int = 5,
    train_rows: int = splits.TRAIN_ROWS,
    test_rows: int = splits.TEST_ROWS,
    test: ArrayLike | None = None,
) -> dict[str, float]:
    """Codes [N, L], targets [N] or [N, K] -> {"knn_accuracy", "knn_accuracy_<k>"}, on the test rows.

    There is one for every target k that varies, if there are several. test: bool [N], rows held out; without
    any, rows are drawn (`metrics.splits`). With fewer training rows than `neighbours`, all of them vote.
    Raises ValueError when no target varies, when there are more than half as many classes as training rows
    (and over 20), when nothing is left to train on, on settings below 1, on NaN or infinity.
    """
    z, columns = arrays.codes_and_targets(codes, targets)
    rng = arrays.generator(rng)
    wanted = arrays.whole("neighbours", neighbours, 1, "5 is usual")
    train, tested = splits.split(len(z), rng, test, train_rows=train_rows, test_rows=test_rows)
    varying = classes.varying("targets", columns, train)
    standard = standardised(z[np.concatenate([train, tested])], slice(len(train)))
    voters = train[nearest(standard[len(train) :], standard[: len(train)], min(wanted, len(train)))]
    scores = {target.k: float(np.mean(_elected(target.y[voters]) == target.y[tested])) for target in varying}
    return classes.averaged("knn_accuracy", scores, targets)


def _elected(votes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Classes of the neighbours [N, k], nearest first -> the class with most of them [N].

    A tie goes to the class of the nearest.
    """
    count = np.zeros((len(votes), int(votes.max()) + 1), dtype=np.intp)
    for column in votes.T:
        count[np.arange(len(votes)), column] += 1
    first = np.take_along_axis(count, votes, axis=1).argmax(axis=1)  # argmax: the first of equals
    return np.take_along_axis(votes, first[:, None], axis=1)[:, 0]

"""Clusters of codes against classes: does k-means find the classes without labels?

    accuracy = 1/N max_π Σ_n 1[ π(c_n) = y_n ]            π: one-to-one assignment of clusters to classes
    NMI      = 2 I(c; y) / ( H(c) + H(y) )
    ARI      = ( Σ_ij C(n_ij, 2) − E ) / ( ½ (A + B) − E )
    A        = Σ_i C(n_i·, 2),    B = Σ_j C(n_·j, 2),    E = A B / C(N, 2)

c       cluster of each row by k-means on codes [N, L], with as many clusters as the target has classes, the
        best of 10 starts
y       one target, labels [N] or a column of factors [N, K]; scores are means over the targets that vary
n_ij    rows in cluster i and class j; C(n, 2) = n(n−1)/2

Pure numbers; higher is better. Accuracy is between 1/classes and 1, NMI between 0 and 1. ARI is 0 for random
clusters and may be negative. All rows are used, since the clusters do not depend on labels.

Codes are used as they are, not standardised: the distance in the space of codes is what is judged, and a
silent code should stay silent. So only a common scale of all codes does not matter.

Accuracy by optimal assignment as the field reports it: J. Xie, R. Girshick, A. Farhadi, "Unsupervised Deep
Embedding for Clustering Analysis", 2015, arXiv:1511.06335. L. Hubert, P. Arabie, "Comparing partitions", 1985
(ARI).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from metrics import arrays, classes, information
from metrics.standardised import varying as varying_codes

__all__ = ["clustering"]

TITLE = "Agreement of k-means clusters with classes"
MAIN = "clustering_accuracy"
PARTS = ("clustering_nmi", "clustering_ari")
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
BLIND_TO = (
    "Classes that are there but are not where the codes vary most: clusters follow the strongest variation, "
    "whichever factor that is."
)
COST = "One k-means per different number of classes, O(N·L·classes) per iteration and start."


def clustering(
    codes: ArrayLike, targets: ArrayLike, rng: np.random.Generator, *, starts: int = 10
) -> dict[str, float]:
    """Codes [N, L], targets [N] or [N, K] -> the scores:

    {"clustering_accuracy", "clustering_nmi", "clustering_ari", "clustering_accuracy_<k>" of every target k
    that varies, if there are several}

    Constant codes are one cluster: its accuracy is the share of the most frequent class; NMI and ARI are 0.
    Raises ValueError when no target varies, when there are more than half as many classes as rows (and over
    20), on fewer than 1 start, on NaN or infinity.
    """
    z, columns = arrays.codes_and_targets(codes, targets)
    varying = classes.varying("targets", columns)
    rng = arrays.generator(rng)
    starts = arrays.whole("starts", starts, 1, "10 are usual")
    points, seed = _to_scale(z), int(rng.integers(2**31))
    clusters = {size: _clusters(points, size, starts, seed) for size in {target.size for target in varying}}
    tables = {
        target.k: information.contingency(clusters[target.size], target.y, (target.size, target.size))
        for target in varying
    }
    accuracy = classes.averaged("clustering_accuracy", {k: _accuracy(t) for k, t in tables.items()}, targets)
    return {
        "clustering_accuracy": accuracy["clustering_accuracy"],
        "clustering_nmi": float(np.mean([_nmi(table) for table in tables.values()])),
        "clustering_ari": float(np.mean([_ari(table) for table in tables.values()])),
    } | accuracy


def _to_scale(z: NDArray[Any]) -> NDArray[np.float64]:
    """Codes centred and divided by one number, so that neither an offset nor a tiny scale costs digits."""
    centred = z - z.mean(axis=0, dtype=np.float64)
    centred[:, ~varying_codes(z)] = 0
    scaled: NDArray[np.float64] = centred / (np.abs(centred).max() or 1.0)
    return scaled


def _clusters(z: NDArray[np.float64], k: int, starts: int, seed: int) -> NDArray[np.intp]:
    """Codes [N, L] -> cluster numbers [N]."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different codes than clusters
        found: NDArray[Any] = KMeans(k, n_init=starts, random_state=seed).fit_predict(z)
    return found.astype(np.intp)


def _accuracy(table: NDArray[np.intp]) -> float:
    """Counts [clusters, classes] -> share of rows on the best one-to-one assignment."""
    return float(table[linear_sum_assignment(table, maximize=True)].sum() / table.sum())


def _nmi(table: NDArray[np.intp]) -> float:
    both = information.entropy(table.sum(axis=1)) + information.entropy(table.sum(axis=0))
    return 2 * information.mutual_information(table) / both  # both > 0: the target varies


def _ari(table: NDArray[np.intp]) -> float:
    def pairs(counts: NDArray[np.intp]) -> float:
        return float((counts * (counts - 1.0)).sum() / 2)

    a, b = pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    chance = a * b / pairs(table.sum(keepdims=True))
    most = (a + b) / 2
    # most = chance if both put every row into a group of its own, or all rows into one: then they agree.
    return (pairs(table) - chance) / (most - chance) if most > chance else 1.0

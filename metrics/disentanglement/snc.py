"""Single-neuron classification: the accuracy of predicting each factor from the bins of one code of its own.

    SNC  = mean over k of the share of test rows with  m_k( bin_k(z_a(k)) ) = v_k
    a    = one-to-one assignment of codes to factors with the largest  Σ_k I( bin_k(z_a(k)); v_k )
    m_k  = one-to-one map of bins to values that is right on most training rows

z        codes [N, L]
v        factors [N, K]
bin_k    into C_k bins between quantiles of the training rows, with equal numbers of rows; C_k: values of v_k
I        mutual information in nats, by counting

No code serves two factors, so it is no advantage to have several factors in one code, or one factor in
several codes together. A pure number between 0 and 1; higher is better. A code without information scores the
share of the most frequent value, about 1/C_k; so does a factor that is left without a code if K > L. Values
that are not equally frequent do not fit bins with equal numbers of rows: even a perfect code then loses the
rows in between. A constant code has a single bin. Rows with the same code are always in one bin, on the side
of an edge that keeps the bins most equal.

L. Mahon, L. Sha, T. Lukasiewicz, "Correcting Flaws in Common Disentanglement Metrics", 2023,
arXiv:2304.02335, in the form of their code (github.com/Lou1sM/snc_nk: simple_accs and
cond_ent_for_alignment); the accuracy is not corrected for chance.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from metrics import arrays, classes, splits
from metrics.information import contingency, mutual_information
from metrics.standardised import varying

__all__ = ["snc"]

TITLE = "Single-neuron classification"
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
BLIND_TO = (
    "Further codes that carry a factor too: only the one that is assigned to it is looked at. Values that a "
    "code keeps apart, but not in bins of equal numbers of rows, count as confused."
)
COST = "O(N·log N·L) to sort and O(N·L·K) to count."


def snc(
    codes: ArrayLike,
    factors: ArrayLike,
    rng: np.random.Generator,
    *,
    test: ArrayLike | None = None,
    train_rows: int = splits.TRAIN_ROWS,
    test_rows: int = splits.TEST_ROWS,
) -> dict[str, float]:
    """Codes [N, L], factors [N, K] -> {"snc": on test rows, "snc_train": on the others, "snc_<k>": factor k,
    on test rows}.

    Factors with one value among the training rows are left out. Raises ValueError when no factor varies, when
    most values occur once, when there is nothing to train or to test on, on NaN or infinity.
    """
    z, v = arrays.codes_and_factors(codes, factors)
    rng = arrays.generator(rng)
    trained, tested = splits.split(len(z), rng, test, train_rows=train_rows, test_rows=test_rows)
    learnt = classes.learnable("factors", v, trained)

    x, fresh = np.ascontiguousarray(z[trained].T), np.ascontiguousarray(z[tested].T)
    x[~varying(z[trained])] = 0
    ascending = np.sort(x, axis=1)
    edges_of = [[_edges(row, factor.size) for row in ascending] for factor in learnt]
    # Contingency of bins and values, [C, C], of every code and factor.
    tables = [
        [
            contingency(
                np.searchsorted(edges, code, side="right"), factor.y[trained], (factor.size, factor.size)
            )
            for code, edges in zip(x, per_code, strict=True)
        ]
        for factor, per_code in zip(learnt, edges_of, strict=True)
    ]
    known = np.array([[mutual_information(table) for table in row] for row in tables])
    code_of = dict(zip(*linear_sum_assignment(known, maximize=True), strict=True))

    each, train = {}, []
    for number, factor in enumerate(learnt):
        y = factor.y[tested]
        if number in code_of:
            j = code_of[number]
            bins, values = linear_sum_assignment(tables[number][j], maximize=True)
            right = tables[number][j][bins, values].sum()
            answers = values[np.searchsorted(edges_of[number][j], fresh[j], side="right")]
        else:
            count = np.bincount(factor.y[trained])
            right = count.max()
            answers = np.full(len(y), count.argmax())
        each[f"snc_{factor.k}"] = float(np.mean(answers == y))
        train.append(right / len(trained))
    return {"snc": float(np.mean(list(each.values()))), "snc_train": float(np.mean(train))} | each


def _edges(ascending: NDArray[Any], size: int) -> NDArray[Any]:
    """Training rows of a code in ascending order [N] -> the lower edges of bins 1 ... size − 1.

    Equal rows stay together: an edge among them moves to the nearer end, so that bins are as equal as
    possible.
    """
    n = len(ascending)
    wanted = np.arange(1, size) * n // size
    first = np.searchsorted(ascending, ascending[wanted], side="left")
    after = np.searchsorted(ascending, ascending[wanted], side="right")
    up = (after - wanted < wanted - first) & (after < n)
    return np.asarray(ascending[np.where(up, np.minimum(after, n - 1), first)])

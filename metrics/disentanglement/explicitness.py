"""Explicitness: how well a linear classifier of all codes ranks the rows with a value above those without.

    explicitness   = mean over k of E_k
    E_k            = mean over the values c of v_k of AUC_kc
    AUC_kc         = P( p(c | z) > p(c | z') ) + ½ P( p(c | z) = p(c | z') ),   v_k(z) = c,  v_k(z') ≠ c

p(· | z)   multinomial logistic regression of factor v_k on the standardised codes, with the study's penalty
           ½ Σ W² (`metrics.logistic`)
z          codes [N, L]; v: factors [N, K]
AUC        area under the receiver operating characteristic of a value against the rest

A pure number between 0.5 (the codes say nothing; less is sampling error) and 1 (every value can be read off
linearly); higher is better. Constant codes count as 0; if all codes are constant, every area is 0.5. The
regression is fitted on 10,000 images. The main value is of 5,000 other images, `explicitness_train` of the
training images. A value has no area, and is left out, if all rows have it or none has.

K. Ridgeway, M. C. Mozer, "Learning Deep Disentangled Embeddings With the F-Statistic Loss", 2018,
arXiv:1802.05312. Protocol: F. Locatello et al., "Challenging Common Assumptions in the Unsupervised Learning
of Disentangled Representations", 2019, arXiv:1811.12359.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics import arrays, classes, logistic, splits
from metrics.standardised import standardised

__all__ = ["explicitness"]

TITLE = "Explicitness"
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
BLIND_TO = (
    "Which code carries what: any invertible linear map of the codes scores nearly alike. An area under the "
    "curve forgives probabilities that are all too low, so a middle value that no code singles out may still "
    "rank well."
)
COST = "One logistic regression per factor, O(N·L·values) per iteration, and a sort of the rows per value."


def explicitness(
    codes: ArrayLike,
    factors: ArrayLike,
    rng: np.random.Generator,
    *,
    test: ArrayLike | None = None,
    train_rows: int = splits.TRAIN_ROWS,
    test_rows: int = splits.TEST_ROWS,
) -> dict[str, float]:
    """Codes [N, L], factors [N, K] -> {"explicitness", "explicitness_<k>" of factor k, "explicitness_train"}.

    All but the last are of the test rows. Factors with one value among the training rows, or among the test
    rows, are left out. A value that only test rows have has no area of its own. Raises ValueError when no
    factor is left, when most values occur once, when there is nothing to train or to test on, on NaN or
    infinity.
    """
    z, v = arrays.codes_and_factors(codes, factors)
    rng = arrays.generator(rng)
    trained, tested = splits.split(len(z), rng, test, train_rows=train_rows, test_rows=test_rows)
    x = standardised(z, trained)

    train: list[float] = []
    each: dict[str, float] = {}
    for factor in classes.learnable("factors", v, trained, tested):
        weights = logistic.fit(x[trained], factor.y[trained], factor.size)
        p = logistic.probabilities(x[tested], weights)
        each[f"explicitness_{factor.k}"] = float(np.mean(_areas(p, factor.y[tested])))
        own = logistic.probabilities(x[trained], weights)
        train.append(float(np.mean(_areas(own, factor.y[trained]))))
    main = {"explicitness": float(np.mean(list(each.values()))), "explicitness_train": float(np.mean(train))}
    return main | each


def _areas(p: NDArray[np.float64], y: NDArray[np.intp]) -> list[float]:
    """Probabilities [C, N] and classes [N] -> the area of each class that some rows have and some lack."""
    areas = []
    for c, score in enumerate(p):
        own = score[y == c]
        if not 0 < len(own) < len(y):
            continue
        # Σ of the ranks of its rows, mean ranks for ties; the ranks among its own rows are subtracted.
        rows = np.sort(score)
        ranks = (np.searchsorted(rows, own, "left") + np.searchsorted(rows, own, "right")).sum() / 2
        areas.append((ranks - len(own) ** 2 / 2) / (len(own) * (len(y) - len(own))))
    return areas

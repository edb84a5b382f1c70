"""Separated attribute predictability: the lead of each factor's best code over the second, as a predictor.

    SAP  = mean over k of ( S_(1)k − S_(2)k )
    S_jk = share of test rows whose value of v_k a linear classifier of code z_j alone predicts   (discrete)
    S_jk = cov(z_j, v_k)² / ( var(z_j) var(v_k) )  over the training rows                       (continuous)

S_(1)k, S_(2)k   the largest and the second largest of S_·k over the codes; codes [N, L], factors [N, K]

The classifier is the study's: a linear support vector machine per value against the rest, C = 0.01, classes
weighted to the same total, trained on 10,000 images and tested on 5,000. It is scikit-learn's LinearSVC, run
to the optimum. Its penalty acts on the codes as they are, so the score depends on their scale. One line per
value can single out the lowest and the highest value, but hardly one in between: a perfect code of a factor
with many ordered values scores far below 1. `sap_continuous` uses factor values as numbers.

A pure number between 0 (no code stands out) and 1; higher is better. A constant code predicts the most
frequent value; with L = 1 so does the missing runner-up. In the continuous version a variance of 1e-12 or
less counts as constant, S = 0.

A. Kumar, P. Sattigeri, A. Balakrishnan, "Variational Inference of Disentangled Latent Concepts from Unlabeled
Observations", 2018, arXiv:1711.00848. Protocol: F. Locatello et al., "Challenging Common Assumptions in the
Unsupervised Learning of Disentangled Representations", 2019, arXiv:1811.12359.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.svm import LinearSVC

from metrics import arrays, classes, splits

__all__ = ["sap"]

TITLE = "Separated attribute predictability"
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
BLIND_TO = (
    "Whether a code carries several factors, and everything beyond the two best codes. What a line cannot "
    "tell apart on one axis counts as unknown."
)
COST = (
    "One support vector machine per code and value, O(N) per Newton step: a second for 10,000 rows, 10 codes "
    "and 113 values."
)

PENALTY = 0.01
# LIBLINEAR stops far from the optimum, or never, on codes much larger than this. They are scaled down to it:
# at this size the penalty on the slope no longer matters.
LARGEST = 1000.0
# The default, 1e-4, leaves a row in a thousand on the wrong side of a line. A smaller one takes no more time.
TOLERANCE = 1e-10
LEAST_VARIANCE = 1e-12


def sap(
    codes: ArrayLike,
    factors: ArrayLike,
    rng: np.random.Generator,
    *,
    test: ArrayLike | None = None,
    continuous: bool = False,
    train_rows: int = splits.TRAIN_ROWS,
    test_rows: int = splits.TEST_ROWS,
) -> dict[str, float]:
    """Codes [N, L], factors [N, K] -> {"sap", "sap_continuous", "sap_<k>" for every factor k that varies}.

    continuous: factors are numbers, real ones too, and only the correlations are computed; "sap" is then
    their score. Factors with one value among the training rows are left out; a value that only test rows have
    is never predicted. Raises ValueError when no factor varies, when most values occur once (unless
    continuous), when there is nothing to train or to test on, on NaN or infinity.
    """
    z, v = arrays.codes_and_factors(codes, factors, numbers=continuous)
    rng = arrays.generator(rng)
    trained, tested = splits.split(len(z), rng, test, train_rows=train_rows, test_rows=test_rows)

    if continuous:
        numbers, squared = _correlations(z[trained], v[trained])
        gaps = _gaps(squared, np.zeros(len(numbers)))
        return _named(gaps, numbers)

    learnt = classes.learnable("factors", v, trained)
    accuracy, guessed = _accuracies(z, learnt, trained, tested)
    gaps = _gaps(accuracy, guessed)
    named = _named(gaps, [factor.k for factor in learnt])
    numbers, squared = _correlations(z[trained], v[trained].astype(np.float64))
    main = named.pop("sap")
    return {"sap": main, "sap_continuous": float(_gaps(squared, np.zeros(len(numbers))).mean())} | named


def _accuracies(
    z: NDArray[Any],
    learnt: list[classes.Classes],
    trained: NDArray[np.intp],
    tested: NDArray[np.intp],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Accuracy on the test rows of each code [L, K], and of always answering the most frequent value [K]."""
    x = z.astype(np.float64)
    x /= np.maximum(np.abs(x[trained]).max(axis=0) / LARGEST, 1)
    accuracy, guessed = np.empty((x.shape[1], len(learnt))), np.empty(len(learnt))
    for k, factor in enumerate(learnt):
        y, answers = factor.y[trained], factor.y[tested]
        guessed[k] = np.mean(answers == np.bincount(y).argmax())
        for j in range(x.shape[1]):
            line = LinearSVC(C=PENALTY, class_weight="balanced", dual=False, tol=TOLERANCE, random_state=0)
            line.fit(x[trained, j, None], y)
            accuracy[j, k] = np.mean(line.predict(x[tested, j, None]) == answers)
    return accuracy, guessed


def _correlations(z: NDArray[Any], v: NDArray[np.float64]) -> tuple[list[int], NDArray[np.float64]]:
    """The factors that vary, and squared correlations [L, K'] with them."""
    v = v - v.mean(axis=0)
    numbers = [int(k) for k in np.flatnonzero(np.ptp(v, axis=0) > 0)]
    arrays.enough_vary("factors", len(numbers), v.shape[1], over=f" over the {len(v)} training rows")
    v = v[:, numbers] / np.abs(v[:, numbers]).max(axis=0)
    x = z.astype(np.float64)
    x -= x.mean(axis=0)
    varies = (x**2).sum(axis=0) / max(len(x) - 1, 1) > LEAST_VARIANCE
    x /= np.where(varies, np.abs(x).max(axis=0), 1)
    squared = (x.T @ v) ** 2 / np.where(varies, (x**2).sum(axis=0), 1)[:, None] / (v**2).sum(axis=0)
    return numbers, np.where(varies[:, None], squared, 0)


def _gaps(scores: NDArray[np.float64], without: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores [L, K] -> lead of the best code [K]; `without` is the runner-up's score if L = 1."""
    if len(scores) == 1:
        return np.maximum(scores[0] - without, 0)
    best = np.sort(scores, axis=0)
    return np.asarray(best[-1] - best[-2])


def _named(gaps: NDArray[np.float64], numbers: list[int]) -> dict[str, float]:
    each = {f"sap_{k}": float(gap) for k, gap in zip(numbers, gaps, strict=True)}
    return {"sap": float(gaps.mean())} | each

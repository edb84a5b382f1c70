"""DCI: disentanglement, completeness and informativeness, from the importance of each code for each factor.

    R_jk            = importance of code j for boosted trees that predict factor v_k from all codes
    disentanglement = Σ_j ρ_j (1 − H_K(P_j)),      P_jk = R_jk / Σ_k R_jk,      ρ_j = Σ_k R_jk / Σ_jk R_jk
    completeness    = Σ_k κ_k (1 − H_L(Q_k)),      Q_jk = R_jk / Σ_j R_jk,      κ_k = Σ_j R_jk / Σ_jk R_jk
    informativeness = mean over k of the share of rows whose factor v_k the trees predict correctly

z, v        codes [N, L], factors [N, K];   R [L, K] over the factors that vary, Σ_j R_jk = 1
H_K, H_L    entropy to the base K (L), so that it is at most 1

Disentangled: each code matters for one factor only. Complete: only one code matters for each factor. All are
pure numbers from 0 to 1; higher is better. The trees are those of the 12,600-model study: 100 boosted stages
of depth 3 per factor (and class). Importance is the total fall of the squared error. Informativeness is
accuracy, on the training rows and on others.

Codes that say nothing about any factor have D = C = 0 by definition. If one factor (one code) varies, the
entropy to its base is taken as 0, so D (C) is 1: nothing can be mixed.

C. Eastwood, C. K. I. Williams, "A Framework for the Quantitative Evaluation of Disentangled Representations",
ICLR 2018 (openreview.net/forum?id=By-7dz-AZ). Protocol: F. Locatello et al., "Challenging Common Assumptions
in the Unsupervised Learning of Disentangled Representations", 2019, arXiv:1811.12359.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.ensemble import GradientBoostingClassifier

from metrics import arrays, boosting, classes, importances, splits

__all__ = ["dci"]

TITLE = "DCI disentanglement"
MAIN = "dci_disentanglement"
PARTS = ("dci_completeness", "dci_informativeness_test")
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
BLIND_TO = (
    "How well the factors are predicted at all: D and C are about shares of importance, so faint codes count "
    "like strong ones (informativeness shows the difference)."
)
COST = "O(N·L·classes·trees) over the classes of all factors: seconds for 10,000 rows and a hundred classes."

Floats = NDArray[np.float64]


def dci(
    codes: ArrayLike,
    factors: ArrayLike,
    rng: np.random.Generator,
    *,
    test: ArrayLike | None = None,
    train_rows: int = splits.TRAIN_ROWS,
    test_rows: int = splits.TEST_ROWS,
    estimator: str = "fast",
    trees: int = 100,
    jobs: int = 1,
) -> dict[str, float]:
    """Codes [N, L], factors [N, K] -> numbers from 0 to 1:

    {"dci_disentanglement", "dci_completeness", "dci_informativeness_train", "dci_informativeness_test"}

    test: bool [N], the rows held out; see `metrics.splits`. A class that only test rows have is never
    predicted. estimator: "fast" (`metrics.boosting`, within 0.01 of the other) or "exact" (scikit-learn's, 8
    to 23 times slower). jobs: the number of factors that are learnt at the same time, in threads; it changes
    the time only. Raises ValueError when no factor varies among the training rows, when a factor has more
    than half as many values as there are training rows (and over 20), on fewer than 2 rows, on NaN or
    infinity.
    """
    z, v = arrays.codes_and_factors(codes, factors)
    rng = arrays.generator(rng)
    trees = arrays.whole("trees", trees, 1, "the study uses 100")
    jobs = arrays.whole("jobs", jobs, 1, "factors learnt at the same time")
    if estimator not in ("fast", "exact"):
        raise ValueError(f'estimator: expected "fast" or "exact", got {estimator!r}')
    train, held = splits.split(len(z), rng, test, train_rows=train_rows, test_rows=test_rows)
    tasks = [(factor, int(rng.integers(2**31))) for factor in classes.learnable("factors", v, train)]

    def learn(task: tuple[classes.Classes, int]) -> tuple[Floats, float, float]:
        return _learn(z, task[0], train, held, estimator, trees, task[1])

    if jobs == 1:
        learnt = [learn(task) for task in tasks]
    else:
        order = sorted(range(len(tasks)), key=lambda k: -tasks[k][0].size)  # the longest first
        with ThreadPoolExecutor(jobs) as pool:
            done = dict(zip(order, pool.map(learn, [tasks[k] for k in order]), strict=True))
        learnt = [done[k] for k in range(len(tasks))]
    R = np.stack([importances for importances, _, _ in learnt], axis=1)
    return {
        "dci_disentanglement": importances.concentration(R),
        "dci_completeness": importances.concentration(R.T),
        "dci_informativeness_train": float(np.mean([accuracy for _, accuracy, _ in learnt])),
        "dci_informativeness_test": float(np.mean([accuracy for _, _, accuracy in learnt])),
    }


def _learn(
    z: NDArray[Any],
    factor: classes.Classes,
    train: NDArray[np.intp],
    held: NDArray[np.intp],
    estimator: str,
    trees: int,
    seed: int,
) -> tuple[Floats, float, float]:
    """Importance of each code [L] for one factor, and the accuracy on the training rows and on the others."""
    y = factor.y[train]
    if estimator == "fast":
        boosted = boosting.fit(z[train], y, trees=trees, seed=seed)
        importances, fitted, predicted = boosted.importances, boosted.fitted, boosted.predict(z[held])
    else:
        model = GradientBoostingClassifier(n_estimators=trees, random_state=seed).fit(z[train], y)
        importances = np.asarray(model.feature_importances_)
        fitted, predicted = model.predict(z[train]), model.predict(z[held])
    return importances, float(np.mean(fitted == y)), float(np.mean(predicted == factor.y[held]))

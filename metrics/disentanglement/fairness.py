"""Unfairness: how far the prediction of one factor moves when another one is changed.

    unfairness(i, j) = 1/|S| Σ_{s ∈ S}  TV( p(ŷ), p(ŷ | do(v_j = s)) )          S: the values of factor j
    TV(p, q)         = ½ Σ_ŷ | p(ŷ) − q(ŷ) |,       p(ŷ) = 1/|S| Σ_s p(ŷ | do(v_j = s))
    fairness         = mean of unfairness(i, j) over target factors i and sensitive factors j ≠ i

ŷ       predictions on held-out rows, by gradient-boosted trees that learn factor i from the codes [N, L]
do      every held-out row with its factor j set to s and the others left as they are:
        p(ŷ | do(v_j = s)) = Σ_o p(o) p(ŷ | o, v_j = s),       o = the other factors' values

A pure number from 0 (no factor's prediction depends on another factor) to 1; lower is better. Nothing is
drawn for an intervention: the sum runs over all held-out rows with v_j = s, weighted by p(o) / p(o | s). The
established implementation draws 100 points per value instead. Sampling adds more to a total variation there:
with n rows per value about ½ Σ_ŷ √(2 p (1 − p) / (π n)) if the prediction does not depend on factor j.

Rows that agree in all other factors exist on a full grid, when every combination of values is among the
held-out rows. On any other table o is the target's value alone: p(ŷ | do(v_j = s)) = Σ_y p(y) p(ŷ | v_i = y,
v_j = s). That is the intervention if the remaining factors are independent of factor j. So a predictor that
is always right scores 0 there, too. A pair (y, s) that no held-out row has counts as p(ŷ | v_i = y), as if s
made no difference.

F. Locatello, G. Abbati, T. Rainforth, S. Bauer, B. Schölkopf, O. Bachem, "On the Fairness of Disentangled
Representations", 2019, arXiv:1905.13662. The mean over targets and sensitive factors is that of the code of
disentanglement_lib.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics import arrays, boosting, information, interventions, splits

__all__ = ["fairness"]

TITLE = "Unfairness of predictions from the codes"
UNIT = ""
HIGHER_IS_BETTER = False
RANGE = (0.0, 1.0)
BLIND_TO = (
    "Whether the predictions are right: codes that know nothing, or are constant, treat every value alike "
    "and score as well as perfect ones. Read it beside an accuracy."
)
COST = "One ensemble of boosted trees per factor; the interventions are O(K²·N) counts."

_FEW = 20  # pairs of factors that are reported one by one


def fairness(
    codes: ArrayLike,
    factors: ArrayLike,
    rng: np.random.Generator,
    *,
    test: ArrayLike | None = None,
    train_rows: int = splits.TRAIN_ROWS,
    test_rows: int = splits.TEST_ROWS,
    trees: int = 100,
) -> dict[str, float]:
    """Codes [N, L], factors [N, K] -> {"fairness", "fairness_max", "fairness_<target>_<sensitive>"}.

    Single pairs are listed if there are at most 20. test, train_rows, test_rows: see `metrics.splits`. trees:
    stages of boosting. Factors with one value are neither targets nor sensitive; a factor with one value
    among the test rows is not sensitive. Raises ValueError when fewer than two factors vary, when a varying
    factor never has the same value twice, when nothing is left to train or test on, on NaN or infinity.
    """
    z, v = arrays.codes_and_factors(codes, factors)
    rng = arrays.generator(rng)
    trees = arrays.whole("trees", trees, 1, "the study uses 100")
    groups = interventions.varying(v, 2)
    trained, held_out = splits.split(len(z), rng, test, train_rows=train_rows, test_rows=test_rows)

    value = {k: arrays.value_index(v[held_out, k]) for k in groups}
    sensitive = {j: _others(value, j) for j, (_, size) in value.items() if size > 1}
    unfair: dict[str, float] = {}
    for i, (y, _) in value.items():
        _, number = np.unique(v[trained, i], return_inverse=True)
        predicted = boosting.fit(z[trained], number, trees=trees).predict(z[held_out])
        for j, others in sensitive.items():
            if i != j:
                p = _intervened(predicted, value[j], y if others is None else others)
                distance = np.abs(p - p.mean(axis=0)).sum(axis=1) / 2
                unfair[f"fairness_{i}_{j}"] = float(distance.mean())
    if not unfair:
        raise ValueError(
            f"test: no factor has two values among the {len(held_out)} rows held out, so there is nothing to "
            "change; hold out more, at random"
        )
    scores = list(unfair.values())
    return {"fairness": float(np.mean(scores)), "fairness_max": max(scores)} | (
        unfair if len(scores) <= _FEW else {}
    )


def _others(value: dict[int, tuple[NDArray[np.intp], int]], j: int) -> NDArray[np.intp] | None:
    """The combination of all factors but j that each row has [N].

    None unless each combination occurs with every value of factor j.
    """
    combination = np.zeros(len(value[j][0]), dtype=np.intp)
    combinations = 1
    for k, (index, size) in value.items():
        if k != j:
            combination, combinations = arrays.value_index(combination * size + index)
    cells = information.contingency(combination, value[j][0], (combinations, value[j][1]))
    return combination if cells.all() else None


def _intervened(
    predicted: NDArray[np.intp], sensitive: tuple[NDArray[np.intp], int], others: NDArray[np.intp]
) -> NDArray[np.float64]:
    """p(ŷ | do(v_j = s)) [S, Y], from the predictions [N].

    Those of the rows with each value s are averaged over the distribution of the others.
    """
    s, values = sensitive
    answers, strata = int(predicted.max()) + 1, int(others.max()) + 1
    share = np.bincount(others) / len(others)
    cells = information.contingency(others, s, (strata, values))
    weight = share[others] / cells[others, s]
    p = np.bincount(s * answers + predicted, weight, values * answers).reshape(values, answers)
    if not cells.all():
        alike = information.contingency(others, predicted, (strata, answers)) / np.bincount(others)[:, None]
        p += ((cells == 0) * share[:, None]).T @ alike
    result: NDArray[Any] = p
    return result

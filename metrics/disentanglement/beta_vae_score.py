"""β-VAE score: can a linear classifier name the factor that a set of image pairs has in common?

    d     = 1/M Σ_m | z(a_m) − z(b_m) |,     v_k(a_m) = v_k(b_m) for every m
    score = accuracy of a logistic regression d -> k on fresh points

d        [L], one point of the classifier's data
k        the factor held fixed, uniform among the factors that vary; factors v [N, K]
a, b     M = 64 pairs of rows: a_m uniform, b_m uniform among the rows with a_m's value of factor k
z        codes [N, L]

A pure number between chance (1 / number of varying factors) and 1; higher is better. As in the 12,600-model
study, the classifier is fitted on 10,000 points and scored on 5,000, and its penalty is ½ Σ W²,
scikit-learn's default. The penalty acts on the codes as they are, so the score depends weakly on their scale.

On a full grid of factors the pairs are distributed as in the paper, which draws all factors but k anew. On
any other table the rows stand in for the population, with the dependence between factors that they have. A
row whose value no other row has is paired with itself.

I. Higgins et al., "β-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework", ICLR 2017
(openreview.net/forum?id=Sy2fzU9gl; never on arXiv). Protocol: F. Locatello et al., "Challenging Common
Assumptions in the Unsupervised Learning of Disentangled Representations", 2019, arXiv:1811.12359.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics import arrays, interventions, logistic

__all__ = ["beta_vae_score"]

TITLE = "β-VAE score"
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
BLIND_TO = (
    "Factors that are spread over several codes: a linear classifier reads a rotated code as well as an "
    "aligned one. With K factors, K − 1 good ones suffice for a perfect score."
)
COST = "O(points · pairs · L) for the draws, whatever N is, and one logistic regression."


def beta_vae_score(
    codes: ArrayLike,
    factors: ArrayLike,
    rng: np.random.Generator,
    *,
    pairs: int = 64,
    train_points: int = 10_000,
    evaluation_points: int = 5_000,
) -> dict[str, float]:
    """Codes [N, L], factors [N, K] -> accuracies: {"beta_vae_score" on fresh points, "beta_vae_score_train"}.

    Constant codes do no harm; if all codes are constant, the score is that of guessing. Factors with one
    value are never held fixed. Raises ValueError when fewer than two factors vary, when a varying factor
    never has the same value twice (its pairs would be images with themselves), on settings below 1 and on NaN
    or infinity.
    """
    z, v = arrays.codes_and_factors(codes, factors)
    rng = arrays.generator(rng)
    field = "the study uses 64, 10,000 and 5,000"
    pairs = arrays.whole("pairs", pairs, 1, field)
    train_points = arrays.whole("train_points", train_points, 1, field)
    evaluation_points = arrays.whole("evaluation_points", evaluation_points, 1, field)

    groups = list(interventions.varying(v, 2).values())
    z = np.ascontiguousarray(z, dtype=np.float64)
    train, fixed = _points(z, groups, rng, train_points, pairs)
    fresh, answer = _points(z, groups, rng, evaluation_points, pairs)
    answers = logistic.answers(train, fixed, np.concatenate([fresh, train]))
    right = answers == np.concatenate([answer, fixed])
    return {
        "beta_vae_score": float(np.mean(right[: len(fresh)])),
        "beta_vae_score_train": float(np.mean(right[len(fresh) :])),
    }


def _points(
    z: NDArray[np.float64],
    groups: list[interventions.Rows],
    rng: np.random.Generator,
    points: int,
    pairs: int,
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Mean absolute differences [points, L] of pairs that share a factor, and that factor [points]."""
    fixed = rng.integers(len(groups), size=points)
    differences = np.empty((points, z.shape[1]))
    for k, group in enumerate(groups):
        for chunk in interventions.chunks(np.flatnonzero(fixed == k), pairs * z.shape[1]):
            rows = rng.integers(len(z), size=(pairs, len(chunk)))
            gap = np.take(
                z, rows, axis=0
            )  # [pairs, points, L]: summed along the first axis, a block at a time
            gap -= np.take(z, group.partners(rows, rng), axis=0)
            differences[chunk] = np.abs(gap, out=gap).sum(axis=0) / pairs
    return differences, fixed

"""Explicitness and size: how little capacity a probe needs to read the factors, and how few codes there are.

    E       = mean over k of E_k                                          explicitness
    E_k     = 1 − AULCC_k / Z_k
    AULCC_k = Σ_t ( ½ (l_t + l_{t−1}) − l_T ) ( κ_t − κ_{t−1} )
    Z_k     = ½ (κ_T − κ_0) · l_base
    S       = K / L                                                       size

z        codes [N, L], standardised by the training rows;  v: K factors that vary [N, K]
AULCC    the area under the loss-capacity curve, above its end
Z        the area under a loss that falls along a straight line
l_t      least error on the test rows of the probes up to the t-th, and at most l_base
l_base   error of always answering the most frequent value of the training rows
κ_t      ln of the number of the probe's parameters, per value

The probes of growing capacity are linear discriminant analyses of features φ of the codes:

    φ(z) = [ z, √2 cos(Ωz), √2 sin(Ωz) ],      Ω ~ N(0, ½²), as wide as the authors configure
    the score of value c is  φ·W⁻¹μ_c − ½ μ_c·W⁻¹μ_c + ln π_c

φ        has 0, 16, 32, ... 512 random Fourier features beside the codes themselves
π_c, μ_c the share of value c, and the mean of φ over its rows
W        the covariance of φ within values, with 1e-3 of the mean variance added to its diagonal

The authors fit a linear readout of random features by gradient descent; the discriminant analysis has a
closed form. As with the authors' networks, capacity starts at the linear probe.

E is 1 if the smallest probe does as well as the largest. It is 0 if the loss falls from l_base to 0 in
proportion to the logarithm of the capacity, and −1 if the loss stays at l_base until the last probe. A pure
number; higher is better. It says how easily the information is read, not how much there is. Codes without
information have E = 1, since nothing remains to be gained: read it beside `dci_es_accuracy`, the accuracy 1 −
l_T of the best probe. As in the authors' code, Z takes 0, not l_T, for the least possible loss.

C. Eastwood, A. L. Nicolicioiu, J. von Kügelgen, A. Kekić, F. Träuble, A. Dittadi, B. Schölkopf, "DCI-ES: An
Extended Disentanglement Framework with Connections to Identifiability", 2022, arXiv:2210.00364; code:
github.com/andreinicolicioiu/DCI-ES, metrics/explitcitness.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve

from metrics import arrays, classes, splits
from metrics.standardised import standardised

__all__ = ["dci_es"]

TITLE = "DCI-ES: explicitness and size"
MAIN = "dci_es_explicitness"
PARTS = ("dci_es_accuracy",)
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (-1.0, 1.0)
BLIND_TO = (
    "How much the codes say: it is about the shape of the loss-capacity curve, which is flat for codes "
    "without any information. Which code carries what: a rotated code is as easy for a linear probe."
)
COST = "O(N·features²) once, O(features³) and O(N·features·values) per factor and probe."

FEATURES = (0, 16, 32, 64, 128, 256, 512)
FREQUENCY = 0.5
RIDGE = 1e-3


def dci_es(
    codes: ArrayLike,
    factors: ArrayLike,
    rng: np.random.Generator,
    *,
    test: ArrayLike | None = None,
    features: tuple[int, ...] = FEATURES,
    train_rows: int = splits.TRAIN_ROWS,
    test_rows: int = splits.TEST_ROWS,
) -> dict[str, float]:
    """Codes [N, L], factors [N, K] -> the scores:

    {"dci_es_explicitness", "dci_es_size", "dci_es_accuracy", "dci_es_explicitness_<k>" of factor k}

    features: the number of random features of each probe, ascending and even. Factors with one value among
    the training rows, or among the test rows, are left out. Raises ValueError when none is left, when most
    values occur once, when there is nothing to train or to test on, on other `features`, on NaN or infinity.
    """
    z, v = arrays.codes_and_factors(codes, factors)
    rng = arrays.generator(rng)
    features = tuple(
        arrays.whole("features", count, 0, f"each of {features!r}; the default is {FEATURES}")
        for count in features
    )
    even = all(count % 2 == 0 for count in features)
    if len(features) < 2 or not even or any(a >= b for a, b in itertools.pairwise(features)):
        raise ValueError(
            f"features: expected two or more even numbers, ascending, got {features!r}; "
            f"the default is {FEATURES}"
        )
    trained, tested = splits.split(len(z), rng, test, train_rows=train_rows, test_rows=test_rows)
    learnt = classes.learnable("factors", v, trained, tested)

    x = _featured(standardised(z, trained), features[-1], rng)
    x -= x[trained].mean(axis=0, dtype=np.float64).astype(np.float32)
    train, fresh = x[trained], x[tested]
    total = (train.T @ train / len(train)).astype(np.float64)
    sizes = [z.shape[1] + count for count in features]
    capacity = np.log(np.array(sizes) + 1.0)
    each, accuracy = {}, []
    for factor in learnt:
        y = factor.y[tested]
        base = np.mean(y != np.bincount(factor.y[trained]).argmax())
        errors = [np.mean(y != answers) for answers in _probes(train, factor, trained, total, fresh, sizes)]
        loss = np.minimum(np.minimum.accumulate(errors), base)
        area = ((loss[1:] + loss[:-1]) / 2 - loss[-1]) @ np.diff(capacity)
        each[f"dci_es_explicitness_{factor.k}"] = float(1 - area / ((capacity[-1] - capacity[0]) * base / 2))
        accuracy.append(1 - loss[-1])
    main = {
        "dci_es_explicitness": float(np.mean(list(each.values()))),
        "dci_es_size": len(learnt) / z.shape[1],
        "dci_es_accuracy": float(np.mean(accuracy)),
    }
    return main | each


def _featured(z: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Standardised codes [N, L] -> codes and `count` random features, cosine and sine in turn [N, L + count].

    Single precision takes a third of the time. The ridge is a thousand times as large as its rounding.
    """
    width = z.shape[1]
    x = np.empty((len(z), width + count), dtype=np.float32)
    x[:, :width] = z
    frequencies = rng.normal(scale=FREQUENCY, size=(count // 2, width))
    angle = x[:, :width] @ frequencies.T.astype(np.float32)
    x[:, width::2] = np.cos(angle)
    x[:, width + 1 :: 2] = np.sin(angle)
    x[:, width:] *= np.float32(np.sqrt(2))
    return x


def _probes(
    train: NDArray[np.float32],
    factor: classes.Classes,
    trained: NDArray[np.intp],
    total: NDArray[np.float64],
    fresh: NDArray[np.float32],
    sizes: list[int],
) -> Iterator[NDArray[np.intp]]:
    """For each size: the answers, for the rows `fresh`, of a discriminant analysis of the first features."""
    y = factor.y[trained]
    one_hot = (y[:, None] == np.arange(factor.size)).astype(np.float32)
    count = one_hot.sum(axis=0, dtype=np.float64)
    mean = (one_hot.T @ train).astype(np.float64) / count[:, None]
    share = count / len(y)
    within = total - (mean.T * share) @ mean
    for size in sizes:
        w = within[:size, :size].copy()
        w[np.diag_indices(size)] += RIDGE * max(np.trace(w) / size, np.finfo(np.float32).eps)
        mu = mean[:, :size].T
        slopes = cho_solve(cho_factor(w), mu)
        offset = np.log(share) - 0.5 * (mu * slopes).sum(axis=0)
        yield (fresh[:, :size] @ slopes.astype(np.float32) + offset).argmax(axis=1)

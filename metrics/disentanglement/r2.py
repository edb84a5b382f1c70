"""Coefficient of determination of the factors given the codes: are the codes the factors, up to a linear map?

    R²   = mean over k of max(0, R²_k)
    R²_k = 1 − Σ_i ( v_ik − f_k(z_i) )² / Σ_i ( v_ik − mean of v_k )²        over the test rows

z     codes [N, L], standardised by the training rows
v     factors [N, K], their values used as numbers
f_k   least squares on the training rows: linear in z (the main value), or kernel ridge regression
      (`r2_nonlinear`)

The kernel is Gaussian, exp( −|z − z'|² / (2L') ), over the L' codes that vary. The ridge α ∈ {0.001, 0.01,
0.1, 1} is chosen per factor by the leave-one-out error, which has a closed form. Because its time grows as
the cube of the rows, it is fitted on at most 500 of the training rows. `r2_nonlinear` is 1 if the codes
determine the factors in any smooth way: identified, though not linearly.

Both are pure numbers between 0 (no better than the mean; clipped there) and 1; higher is better. Constant
codes score 0. Factors that have one value among the training or the test rows are left out.

Linear and kernel ridge regression to evaluate codes: J. von Kügelgen, Y. Sharma, L. Gresele, W. Brendel,
B. Schölkopf, M. Besserve, F. Locatello, "Self-Supervised Learning with Data Augmentations Provably Isolates
Content from Style", 2021, arXiv:2106.04619; width, ridges and number of rows of the kernel are this
project's. Identifiability up to a linear map: I. Khemakhem, R. P. Monti, D. P. Kingma, A. Hyvärinen,
"ICE-BeeM: Identifiable Conditional Energy-Based Deep Models Based on Nonlinear ICA", 2020, arXiv:2002.11537.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import lapack

from metrics import arrays, splits
from metrics.standardised import standardised

__all__ = ["r2"]

TITLE = "Coefficient of determination of the factors"
PARTS = ("r2_nonlinear",)
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
NUMBERS = True
BLIND_TO = (
    "Which code carries what: any invertible linear map of the codes scores alike (linearly). The numbers of "
    "an unordered factor (a shape's index) mean nothing, and its share can be low however well it is "
    "encoded."
)
COST = "O(N·L²) for least squares, O(rows³) for the kernel."

KERNEL_ROWS = 500
RIDGES = (0.001, 0.01, 0.1, 1.0)


def r2(
    codes: ArrayLike,
    factors: ArrayLike,
    rng: np.random.Generator,
    *,
    test: ArrayLike | None = None,
    train_rows: int = splits.TRAIN_ROWS,
    test_rows: int = splits.TEST_ROWS,
    kernel_rows: int = KERNEL_ROWS,
) -> dict[str, float]:
    """Codes [N, L], factors [N, K], real or integer -> {"r2", "r2_nonlinear", "r2_<k>": linear, of factor k}.

    Raises ValueError when no factor varies both among the training and among the test rows, when there is
    nothing to train or to test on, on NaN or infinity.
    """
    z, v = arrays.codes_and_factors(codes, factors, numbers=True)
    rng = arrays.generator(rng)
    kernel_rows = arrays.whole("kernel_rows", kernel_rows, 2, f"{KERNEL_ROWS:,} take a twentieth of a second")
    trained, tested = splits.split(len(z), rng, test, train_rows=train_rows, test_rows=test_rows)
    numbers = np.flatnonzero((np.ptp(v[trained], axis=0) > 0) & (np.ptp(v[tested], axis=0) > 0))
    over = f" over the {len(trained)} training and over the {len(tested)} test rows"
    arrays.enough_vary("factors", len(numbers), v.shape[1], over=over)
    x = standardised(z, trained)
    x = x[:, x[trained].any(axis=0)]
    y = standardised(v[:, numbers], trained)

    inputs = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    slopes = np.linalg.lstsq(inputs[trained], y[trained], rcond=None)[0]
    linear = _determined(inputs[tested] @ slopes, y[tested])

    some = (
        trained if len(trained) <= kernel_rows else np.sort(rng.choice(trained, kernel_rows, replace=False))
    )
    smooth = _determined(_kernel_ridge(x[some], y[some], x[tested]), y[tested])
    each = {f"r2_{k}": float(value) for k, value in zip(numbers, linear, strict=True)}
    return {"r2": float(linear.mean()), "r2_nonlinear": float(smooth.mean())} | each


def _determined(found: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Predictions and targets [M, K] -> R² of each target, at least 0 [K]."""
    error = ((y - found) ** 2).sum(axis=0) / ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    return np.maximum(0.0, 1 - error)


def _kernel_ridge(
    x: NDArray[np.float64], y: NDArray[np.float64], queries: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Training rows x [R, L'] with targets y [R, K] -> predictions for the rows `queries` [M, K]."""
    offset = y.mean(axis=0)
    kernel = _gaussian(x, x)
    best, weights = np.full(y.shape[1], np.inf), np.zeros_like(y)
    for ridge in RIDGES:
        inverse = _inverse(kernel + ridge * np.eye(len(x)))
        w = inverse @ (y - offset)
        # The residual of a row that is left out is w_i / (K + α)⁻¹_ii.
        error = ((w / np.diagonal(inverse)[:, None]) ** 2).mean(axis=0)
        weights[:, error < best] = w[:, error < best]
        best = np.minimum(best, error)
    return np.asarray(_gaussian(queries, x) @ weights + offset)


def _inverse(a: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of a symmetric positive definite matrix, in a third of the time of a general inverse."""
    factor, failed = lapack.dpotrf(a, lower=True)
    assert not failed, "a kernel plus a ridge is positive definite"
    lower, _ = lapack.dpotri(factor, lower=True)
    lower = np.tril(lower)
    return np.asarray(lower + np.tril(lower, -1).T)


def _gaussian(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """[A, L'] and [B, L'] -> exp(−|a − b|² / (2L')), [A, B]; 1 everywhere if no code varies."""
    half = 1 / (2 * max(a.shape[1], 1))
    exponent = a @ (2 * half * b.T)
    exponent -= half * (a**2).sum(axis=1)[:, None]
    exponent -= half * (b**2).sum(axis=1)
    np.minimum(exponent, 0, out=exponent)
    return np.asarray(np.exp(exponent, out=exponent))

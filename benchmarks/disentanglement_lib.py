"""disentanglement_lib 1.5 (F. Locatello et al., 2019, arXiv:1811.12359): its ``compute_*`` functions on our
codes.

They need a data set to draw from and a function from observations to codes. Both are as cheap as possible
here:

    Rows    an observation is a row number of a table. A single batch contains all rows in order, the training
            rows first. It is for all metrics of a sample, so that they see exactly the same rows as ours.
    Grid    an observation is the number of a combination of factors, drawn uniformly. It is for the β-VAE and
            FactorVAE scores, which draw 2.9 million new images: no image is rendered or encoded, its code is
            read from a table in memory.

Settings are those of the library's ``unsupervised_study_v1``. It has none for IRS, which has those of the
library's sample: factors are cut into 20 bins, as codes are for MIG. Ours does the same here
(``factor_bins``).

Only ``gin.tf`` needs TensorFlow, and ``gin`` can replace it. So pip installs the library without its
dependencies (peers.txt).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import gin
import numpy as np
from numpy.typing import NDArray

sys.modules.setdefault("gin.tf", gin)  # before the library is imported

from disentanglement_lib.evaluation.metrics import (  # noqa: E402
    beta_vae,
    dci,
    factor_vae,
    irs,
    mig,
    modularity_explicitness,
    sap_score,
    unsupervised_metrics,
    utils,
)

from benchmarks.metric_timing import BINS  # noqa: E402
from benchmarks.synthetic_codes import Table  # noqa: E402

__all__ = ["INTERVENTIONAL", "Grid", "Rows", "score"]

INTERVENTIONAL = ("beta_vae_score", "factor_vae_score")
"""Metrics that draw new images with a fixed factor; they need the code of every image."""


class Rows:
    """A data set that returns its rows once, in order."""

    def __init__(self, table: Table) -> None:
        self.factors = table.factors
        self.next = 0

    def sample(self, num: int, random_state: object) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
        """The factors of the next ``num`` rows, and the numbers of the rows."""
        rows = np.arange(self.next, self.next + num)
        self.next += num
        return self.factors[rows], rows


class Grid:
    """A data set of all combinations of factors."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        self.sizes = np.array(sizes)
        self.strides = np.append(np.cumprod(self.sizes[:0:-1])[::-1], 1)
        self.num_factors = len(sizes)
        self.factors_num_values = list(sizes)

    def sample_factors(self, num: int, random_state: np.random.RandomState) -> NDArray[np.int64]:
        """Combinations [num, K], drawn uniformly."""
        uniform = random_state.random_sample((num, self.num_factors))
        return (uniform * self.sizes).astype(np.int64)

    def sample_observations_from_factors(
        self, factors: NDArray[np.int64], random_state: object
    ) -> NDArray[np.int64]:
        """The number of each combination."""
        return factors @ self.strides

    def sample_observations(self, num: int, random_state: np.random.RandomState) -> NDArray[np.int64]:
        """Numbers of combinations, drawn uniformly."""
        return self.sample_observations_from_factors(self.sample_factors(num, random_state), random_state)


def score(name: str, table: Table, points: tuple[int, int], seed: int = 0) -> dict[str, float]:
    """The library's values for one row of our suite.

    ``points``: training and test points of the β-VAE and FactorVAE scores. Raises ValueError for an
    interventional metric if the table has no grid.
    """
    np.random.seed(seed)  # noqa: NPY002 - used by scikit-learn's trees and by the library
    random_state = np.random.RandomState(seed)  # an argument of the library's functions
    gin.bind_parameter("discretizer.discretizer_fn", utils._histogram_discretize)
    gin.bind_parameter("discretizer.num_bins", BINS)
    gin.bind_parameter("prune_dims.threshold", 0.05)
    train, test = table.train, len(table.codes) - table.train
    if name in INTERVENTIONAL:
        if table.grid is None:
            raise ValueError(f"{name} draws new images, and the codes of these are unknown; leave it out")
        compute, more = {
            "beta_vae_score": (beta_vae.compute_beta_vae_sklearn, {}),
            "factor_vae_score": (factor_vae.compute_factor_vae, {"num_variance_estimate": 10_000}),
        }[name]
        data: Rows | Grid = Grid(table.sizes)
        codes, settings = table.grid, {"batch_size": 64, "num_train": points[0], "num_eval": points[1]} | more
    else:
        compute, settings = _of_a_sample(name, train, test)
        data, codes = Rows(table), table.codes
    found = compute(data, partial(np.take, codes, axis=0), random_state, **settings)
    return {key: float(value) for key, value in found.items()}


def _of_a_sample(name: str, train: int, test: int) -> tuple[Callable[..., dict[str, Any]], dict[str, Any]]:
    both = {"num_train": train, "num_test": test, "batch_size": train + test}
    alone = {"num_train": train, "batch_size": train}
    functions: dict[str, tuple[Callable[..., dict[str, Any]], dict[str, Any]]] = {
        "mig": (mig.compute_mig, alone),
        "modularity_explicitness": (modularity_explicitness.compute_modularity_explicitness, both),
        "sap": (sap_score.compute_sap, both | {"continuous_factors": False}),
        "irs": (irs.compute_irs, alone),
        "unsupervised": (unsupervised_metrics.unsupervised_metrics, alone),
        "dci": (dci.compute_dci, both),
    }
    return functions[name]

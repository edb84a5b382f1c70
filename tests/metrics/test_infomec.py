"""InfoMEC against closed forms, scikit-learn's estimator, the authors' formulas and exact values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import digamma
from scipy.stats import norm
from sklearn.feature_selection import mutual_info_classif
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, mutual_info_score

from metrics.cases import CASES
from metrics.disentanglement.infomec import infomec
from metrics.neighbour_information import mutual_information
from metrics.standardised import standardised
from tests.metrics.harness import world

RNG = np.random.default_rng
OTHERWISE_IN_SCIKIT_LEARN = {
    "constant": "it adds noise of 1e-10 to the code, and finds neighbours in that",
    "few": (
        "if 10 neighbours are half of a class, its distances are √(a² − 2ab + b²): rounding then counts the "
        "neighbour itself"
    ),
}


@pytest.mark.parametrize("neighbours", [1, 3, 10])
@pytest.mark.parametrize("case", [case for case in CASES if case not in OTHERWISE_IN_SCIKIT_LEARN])
def test_the_estimator_is_that_of_scikit_learn(case: str, neighbours: int) -> None:
    arrays = world(case)
    x = standardised(arrays["codes"])
    found = [mutual_information(code, list(arrays["factors"].T), neighbours) for code in x.T]
    expected = [
        mutual_info_classif(x, v, discrete_features=False, n_neighbors=neighbours, random_state=0)
        for v in arrays["factors"].T
    ]
    # It adds noise of 1e-10, so that a row in a thousand has another rank.
    np.testing.assert_allclose(found, np.transpose(expected), atol=1e-3)


@pytest.mark.parametrize("neighbours", [1, 3, 10, 30])
def test_the_estimator_on_few_rows_is_its_formula(neighbours: int) -> None:
    arrays = world("few")
    x, n = standardised(arrays["codes"]), len(arrays["codes"])
    for code in x.T:
        distance = np.abs(code[:, None] - code)
        found = mutual_information(code, list(arrays["factors"].T), neighbours)
        for y, information in zip(arrays["factors"].T, found, strict=True):
            terms = []
            for i in range(n):
                others = np.flatnonzero((y == y[i]) & (np.arange(n) != i))
                k = min(neighbours, len(others))
                nearer = np.sum(distance[i] < np.sort(distance[i, others])[k - 1])  # itself among them
                terms.append(digamma(n) + digamma(k) - digamma(len(others) + 1) - digamma(nearer))
            assert information == pytest.approx(max(0.0, np.mean(terms)), abs=1e-12)


def test_the_estimator_against_an_exact_value() -> None:
    # Two classes, N(0, 1) and N(2, 1): I = h(mixture) − h(N(0, 1)).
    def integrand(t: float) -> float:
        p = (norm.pdf(t) + norm.pdf(t - 2)) / 2
        return -p * np.log(p)

    exact = quad(integrand, -10, 12)[0] - norm.entropy()
    rng = RNG(0)
    y = rng.integers(2, size=20_000)
    (found,) = mutual_information(rng.normal(size=20_000) + 2 * y, [y], 10)
    assert found == pytest.approx(exact, abs=0.02)  # a few times 1/√N


def test_the_estimator_on_few_distinct_values_counts() -> None:
    rng = RNG(1)
    y = rng.integers(4, size=5000)
    x = np.where(rng.random(5000) < 0.7, y, rng.integers(6, size=5000)) / 3.0
    (found,) = mutual_information(x, [y], 10)
    # ψ(n) is ln n − 1/(2n), and each cell has tens of rows or more.
    assert found == pytest.approx(mutual_info_score(np.rint(3 * x).astype(int), y), abs=0.01)


def test_the_estimator_on_degenerate_variables() -> None:
    y = np.arange(40) % 4
    assert mutual_information(np.zeros(40), [y], 10) == [0.0]
    assert mutual_information(np.arange(40.0), [np.arange(40)], 10) == [
        0.0
    ]  # no row has another of its class
    (found,) = mutual_information(
        y + np.linspace(0, 0.1, 40), [y], 10
    )  # fewer others in the class than neighbours
    assert found == pytest.approx(np.log(4), abs=0.15)


def test_equals_the_formulas_of_the_authors() -> None:
    arrays = world("partial")
    z, v = arrays["codes"] * [1, 1, 1, 1, 1e-3, 1], arrays["factors"]
    ranges = z.max(axis=0) - z.min(axis=0)
    active = ranges > ranges.max() / 20
    assert active.sum() == 5
    x = standardised(z)
    shares = np.array([
        mutual_info_classif(x, factor, discrete_features=False, n_neighbors=10, random_state=0)
        / mutual_info_score(factor, factor)
        for factor in v.T
    ])[:, active]  # fmt: skip
    modularity = (np.mean(shares.max(axis=0) / shares.sum(axis=0)) - 1 / 3) / (1 - 1 / 3)
    compactness = (np.mean(shares.max(axis=1) / shares.sum(axis=1)) - 1 / 5) / (1 - 1 / 5)

    def loss(rows: np.ndarray, y: np.ndarray) -> float:
        # C so large that there is no penalty; penalty=None is spelt otherwise from version to version
        model = LogisticRegression(C=1e12, class_weight="balanced", max_iter=1000).fit(rows, y)
        return float(log_loss(y, model.predict_proba(rows)))

    explicitness = np.mean([1 - loss(x, y) / loss(x * 0, y) for y in v.T])
    scores = infomec(z, v)
    # Information known to 1e-3 over sums of about 0.1 (a code that knows little).
    assert scores["infomec_modularity"] == pytest.approx(modularity, abs=0.02)
    assert scores["infomec_compactness"] == pytest.approx(compactness, abs=0.02)
    assert scores["infomec_explicitness"] == pytest.approx(explicitness, abs=1e-3)


def test_one_code_per_factor_and_rotation() -> None:
    arrays = world("perfect")
    aligned = infomec(arrays["codes"][:, :3], arrays["factors"])
    # What independent variables seem to share in 3,000 rows is about 0.02 nats.
    assert aligned == pytest.approx(dict.fromkeys(aligned, 1), abs=0.03)
    turned = world("rotated")
    scores = infomec(turned["codes"], turned["factors"])
    assert scores["infomec_modularity"] < 0.4
    assert scores["infomec_compactness"] < 0.3
    assert scores["infomec_explicitness"] > 0.95


def test_two_codes_for_each_factor() -> None:
    arrays = world("perfect")
    codes, v = arrays["codes"], arrays["factors"]
    twice = infomec(np.concatenate([codes[:, :3], -codes[:, :3]], axis=1), v)
    assert twice["infomec_modularity"] == pytest.approx(1, abs=0.03)
    # Half of the information each: (1/2 − 1/6) / (1 − 1/6).
    assert twice["infomec_compactness"] == pytest.approx(0.4, abs=0.02)


def test_nothing_known_and_nothing_to_share_with() -> None:
    arrays = world("perfect")
    z, v = arrays["codes"], arrays["factors"]
    nothing = infomec(z * 0 + 0.1, v)
    assert nothing == pytest.approx(dict.fromkeys(nothing, 0), abs=1e-12)
    alone = infomec(z[:, :1], v[:, :1])
    assert alone == pytest.approx(dict.fromkeys(alone, 1), abs=0.01)
    with pytest.raises(ValueError, match="all 3 are constant"):
        infomec(z, v * 0)


@pytest.mark.parametrize("neighbours", [0, 1.5, True])
def test_neighbours_are_checked(neighbours: object) -> None:
    arrays = world("perfect")
    with pytest.raises(ValueError, match="neighbours"):
        infomec(arrays["codes"], arrays["factors"], neighbours=neighbours)  # type: ignore[arg-type]

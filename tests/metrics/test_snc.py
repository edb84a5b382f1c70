"""Single-neuron classification against hand-computed values and a transcription of the authors' code."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from metrics.cases import CASES
from metrics.disentanglement.snc import snc
from tests.metrics.harness import world

RNG = np.random.default_rng


def plain(x: np.ndarray, v: np.ndarray, queries: np.ndarray, answer: np.ndarray) -> list[list[float]]:
    """Quantile bins as sums of comparisons, over all assignments; several accuracies if names of bins tie."""

    def bins(code: np.ndarray, rows: np.ndarray, size: int) -> np.ndarray:
        dividers = np.sort(code)[(np.arange(size) * len(code) / size).astype(int)]
        dividers[0] = -np.inf
        return np.sum([rows >= divider for divider in dividers], axis=0) - 1

    sizes = v.max(axis=0) + 1
    information = [
        [mutual_info_score(bins(code, code, size), factor) for code in x.T]
        for factor, size in zip(v.T, sizes, strict=True)
    ]
    chosen = max(
        itertools.permutations(range(x.shape[1]), v.shape[1]),
        key=lambda codes: sum(information[k][j] for k, j in enumerate(codes)),
    )
    accuracies = []
    for k, j in enumerate(chosen):
        own = bins(x[:, j], x[:, j], sizes[k])
        right = {
            names: int(np.sum(np.array(names)[own] == v[:, k]))
            for names in itertools.permutations(range(sizes[k]))
        }
        best = [np.array(names) for names, rows in right.items() if rows == max(right.values())]
        accuracies.append(
            [float(np.mean(names[bins(x[:, j], queries[:, j], sizes[k])] == answer[:, k])) for names in best]
        )
    return accuracies


@pytest.mark.parametrize("case", CASES)
def test_equals_a_plain_transcription(case: str) -> None:
    arrays = world(case)
    z, v, test = arrays["codes"], arrays["factors"], arrays["test"]
    expected = plain(z[~test], v[~test], z[test], v[test])
    scores = snc(z, v, RNG(0), test=test)
    for k in range(3):
        assert any(scores[f"snc_{k}"] == pytest.approx(accuracy, abs=1e-12) for accuracy in expected[k])
    assert scores["snc"] == pytest.approx(np.mean([scores[f"snc_{k}"] for k in range(3)]), abs=1e-12)


def test_a_code_serves_one_factor() -> None:
    grid = (
        np.stack(np.meshgrid(np.arange(2), np.arange(2), indexing="ij"), axis=-1)
        .reshape(-1, 2)
        .repeat(20, axis=0)
    )
    test = np.arange(80) % 2 == 1
    # One code, 0 ... 3, determines both bits; cut in two it determines the first.
    both = (2 * grid[:, 0] + grid[:, 1])[:, None].astype(float)
    assert snc(both, grid, RNG(0), test=test) == pytest.approx(
        {"snc": 0.75, "snc_train": 0.75, "snc_0": 1, "snc_1": 0.5}, abs=1e-12
    )
    # A second one for the second bit, whatever the order and the sign.
    assert snc(np.concatenate([-grid[:, 1:], both], axis=1), grid, RNG(0), test=test)["snc"] == 1


def test_equal_rows_stay_together() -> None:
    # 4 of 10 rows have value 0: the median is in value 1, and the edge moves to where value 1 begins.
    v = np.tile([0, 0, 0, 0, 1, 1, 1, 1, 1, 1], 10)[:, None]
    test = np.arange(100) >= 50
    assert snc(v * 1.0, v, RNG(0), test=test)["snc"] == 1
    assert snc(v * -1.0, v, RNG(0), test=test)["snc"] == 1
    # Where they can be told apart they are: the median row is one too many for bin 0, 5 of 50.
    apart = v + np.linspace(0, 0.5, 100)[:, None]
    assert snc(apart, v, RNG(0), test=test)["snc_train"] == pytest.approx(0.9, abs=1e-12)


def test_constant_codes_guess_the_most_frequent_value() -> None:
    v = np.tile([0, 1, 1, 2], 25)[:, None]
    scores = snc(np.full((100, 2), 0.1), v, RNG(0), test=np.arange(100) >= 60)
    assert scores == pytest.approx({"snc": 0.5, "snc_train": 0.5, "snc_0": 0.5}, abs=1e-12)


def test_a_value_that_was_never_trained_on_is_never_answered() -> None:
    v = np.tile([0, 1], 50)[:, None]
    test = np.arange(100) >= 50
    v[test & (v[:, 0] == 1)] = 5
    assert snc(v * 1.0, v, RNG(0), test=test)["snc"] == 0.5

"""DCI-ES against scikit-learn's discriminant analysis, hand-computed areas, and codes that need capacity."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from metrics.disentanglement import dci_es as module
from metrics.disentanglement.dci_es import dci_es
from metrics.standardised import standardised
from tests.metrics.harness import world

RNG = np.random.default_rng


def test_probes_and_area_are_those_of_the_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RIDGE", 1e-9)  # scikit-learn's has none
    arrays = world("partial")
    z, v, test = arrays["codes"], arrays["factors"], arrays["test"]
    v = np.stack(
        [v[:, 0], (np.abs(z[:, 0]) > 1) + (np.abs(z[:, 1]) > 1)], axis=1
    )  # the second is not linear in z
    features = (0, 8, 32)
    scores = dci_es(z, v, RNG(4), test=test, features=features)

    x = standardised(z, ~test)
    angle = x @ RNG(4).normal(scale=0.5, size=(16, 6)).T
    x = np.concatenate(
        [x, np.sqrt(2) * np.stack([np.cos(angle), np.sin(angle)], axis=2).reshape(len(x), -1)], axis=1
    )
    capacity = np.log([7, 15, 39])
    accuracy = []
    for k in range(2):
        train, seen = v[~test, k], v[test, k]
        base = np.mean(seen != np.bincount(train).argmax())
        loss = [base]
        for count in features:
            model = LinearDiscriminantAnalysis(solver="lsqr").fit(x[~test, : 6 + count], train)
            loss.append(min(loss[-1], 1 - model.score(x[test, : 6 + count], seen)))
        loss = np.array(loss[1:])
        area = np.sum((loss[1:] + loss[:-1]) / 2 * np.diff(capacity)) - loss[-1] * (
            capacity[-1] - capacity[0]
        )
        expected = 1 - area / (0.5 * base * (capacity[-1] - capacity[0]))
        # Single precision moves a row or two of 600 across a boundary.
        assert scores[f"dci_es_explicitness_{k}"] == pytest.approx(expected, abs=0.01)
        accuracy.append(1 - loss[-1])
    assert scores["dci_es_explicitness"] < 0.95  # the curve does fall
    assert scores["dci_es_accuracy"] == pytest.approx(np.mean(accuracy), abs=3 / 600)
    assert scores["dci_es_size"] == pytest.approx(2 / 6, abs=1e-12)


def test_a_factor_that_must_be_dug_out_is_less_explicit() -> None:
    rng = RNG(0)
    angle = rng.uniform(0, 2 * np.pi, size=6000)
    easy = (angle // (np.pi / 2)).astype(int)
    plane = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    # A quadrant of the circle is linear in the plane; the same quadrants of a spiral of three turns are not.
    turns = rng.integers(1, 4, size=6000)[:, None]
    radius = turns + angle[:, None] / (2 * np.pi)
    spiral = np.stack([np.cos(3 * radius[:, 0]), np.sin(3 * radius[:, 0])], axis=1) * radius
    first = dci_es(plane, easy[:, None], RNG(1))
    second = dci_es(spiral, easy[:, None], RNG(1))
    assert first["dci_es_explicitness"] > 0.97
    assert second["dci_es_explicitness"] < first["dci_es_explicitness"] - 0.15
    assert second["dci_es_accuracy"] > 0.6  # it is there


def test_linear_codes_are_explicit_however_turned() -> None:
    # The other cases lack a factor, mix two in one code, or are noisy.
    for case in ("perfect", "permuted", "rotated", "duplicated", "few"):
        scores = dci_es(world(case)["codes"], world(case)["factors"], RNG(0))
        assert scores["dci_es_explicitness"] == pytest.approx(1, abs=1e-3)
        assert scores["dci_es_accuracy"] == pytest.approx(1, abs=1e-3)
        assert scores["dci_es_size"] == 0.5


def test_codes_that_say_nothing_have_nothing_to_gain() -> None:
    arrays = world("constant")
    scores = dci_es(arrays["codes"], arrays["factors"], RNG(0), test=arrays["test"])
    assert scores["dci_es_explicitness"] == 1
    assert scores["dci_es_accuracy"] < 0.3


def test_size_counts_the_factors_that_vary() -> None:
    arrays = world("perfect")
    scores = dci_es(arrays["codes"][:, :3], arrays["factors"] * [1, 0, 1], RNG(0))
    assert scores["dci_es_size"] == pytest.approx(2 / 3, abs=1e-12)
    assert {*scores} >= {"dci_es_explicitness_0", "dci_es_explicitness_2"}
    assert "dci_es_explicitness_1" not in scores


@pytest.mark.parametrize("features", [(), (16,), (0, 0), (32, 16), (0, 15), (0, -2), (0, 16.0)])
def test_features_are_checked(features: tuple[int, ...]) -> None:
    arrays = world("perfect")
    with pytest.raises(ValueError, match="features"):
        dci_es(arrays["codes"], arrays["factors"], RNG(0), features=features)

"""Principal components of pixels: what they keep, both ways to compute them, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from metrics import pixel_features as module
from metrics.pixel_features import pixel_features

DIGITS = load_digits().images[:, None] / 16  # [1797, 1, 8, 8]


def distances(x: np.ndarray) -> np.ndarray:
    return np.sqrt(((x[:, None] - x[None]) ** 2).sum(axis=2))


def test_equals_principal_component_analysis_of_both_together() -> None:
    x, y = pixel_features(DIGITS[:1000], DIGITS[1000:], 10)
    assert x.shape == (1000, 10)
    assert y.shape == (797, 10)
    expected = PCA(10, svd_solver="full").fit_transform(DIGITS.reshape(-1, 64))
    np.testing.assert_allclose(np.abs(np.concatenate([x, y])), np.abs(expected), atol=1e-9)


def test_all_components_keep_distances_and_empty_pixels_add_none() -> None:
    x, _ = pixel_features(DIGITS[:50], DIGITS[50:], 64)
    assert x.shape == (50, 61)  # three pixels of digits are always black
    np.testing.assert_allclose(distances(x), distances(DIGITS[:50].reshape(50, 64)), atol=1e-12)


def test_fresh_images_of_one_distribution_spread_as_much_as_the_real_ones() -> None:
    # White noise: components of the real images alone would hold (1 + √(100/500))² of its variance there, and
    # 1 elsewhere.
    rng = np.random.default_rng(0)
    x, y = pixel_features(rng.random((500, 1, 10, 10)), rng.random((500, 1, 10, 10)), 20)
    assert x.var() == pytest.approx(y.var(), rel=0.05)  # 10,000 values: standard error 0.02


def test_iteration_holds_the_same_variance(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = np.concatenate(pixel_features(DIGITS[:1000], DIGITS[1000:], 8))
    monkeypatch.setattr(module, "_EXACT", 10)
    monkeypatch.setattr(module, "_SPARE", 8)
    monkeypatch.setattr(module, "_VALUES", 64 * 300)  # blocks, the last one shorter
    found = np.concatenate(pixel_features(DIGITS[:1000], DIGITS[1000:], 8))
    assert found.shape == exact.shape
    # It stops when the variance held grows by less than 1e-5 of itself.
    assert found.var(axis=0).sum() == pytest.approx(exact.var(axis=0).sum(), rel=1e-4)
    np.testing.assert_allclose(distances(found[:100]), distances(exact[:100]), atol=0.05)  # of about 3


def test_iteration_with_fewer_images_than_components(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_EXACT", 10)
    x, y = pixel_features(DIGITS[:4], DIGITS[4:8], 64)
    assert x.shape[1] <= 7
    both = np.concatenate([x, y])
    # Single precision in the iteration
    np.testing.assert_allclose(distances(both), distances(DIGITS[:8].reshape(8, 64)), atol=1e-4)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match=r"samples: expected images of the shape of real \[1, 8, 8\]"):
        pixel_features(DIGITS, DIGITS[:, :, :7], 4)
    with pytest.raises(ValueError, match="samples: expected at least 2 rows, got 1"):
        pixel_features(DIGITS, DIGITS[:1], 4)
    grey = np.full((20, 1, 8, 8), 0.3)
    with pytest.raises(
        ValueError, match="real: expected images that differ, but all 20, and the samples, are"
    ):
        pixel_features(grey, grey, 4)
    with pytest.raises(ValueError, match=r"real: expected values in \[0, 1\]"):
        pixel_features(DIGITS * 16, DIGITS, 4)

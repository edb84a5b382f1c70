"""Distortion, MSE and PSNR: closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from metrics import squared_error
from metrics.reconstruction.distortion import distortion
from metrics.reconstruction.mse import mse
from metrics.reconstruction.psnr import psnr


def test_distortion_is_the_mean_with_its_standard_error() -> None:
    # Deviations −3, 0, 3: variance 9 with N − 1 = 2, so the standard error is 3/√3.
    assert distortion([7.0, 10.0, 13.0]) == pytest.approx(
        {"distortion": 10, "distortion_standard_error": math.sqrt(3)}, rel=1e-12
    )
    assert distortion([-4.0]) == {"distortion": -4, "distortion_standard_error": math.inf}


def test_known_errors() -> None:
    images = np.full((2, 3, 4, 4), 0.5)
    reconstructions = images.copy()
    reconstructions[0] += 0.1  # error 0.01, 20 dB
    reconstructions[1] -= 0.01  # error 0.0001, 40 dB
    assert mse(images, reconstructions)["mse"] == pytest.approx(0.00505, rel=1e-9)
    assert psnr(images, reconstructions)["psnr"] == pytest.approx(30, rel=1e-9)


def test_identical_images_are_a_hundred_decibels() -> None:
    images = np.random.default_rng(0).random((5, 1, 8, 8)).astype(np.float32)
    assert mse(images, images) == {"mse": 0}
    assert psnr(images, images) == {"psnr": 100}
    # One of them does not drown the mean of the others.
    other = images.copy()
    other[1:] = images[1:] + np.float32(0.1)
    assert psnr(images, other)["psnr"] == pytest.approx((100 + 4 * 20) / 5, rel=1e-5)


def test_a_reconstruction_may_leave_the_unit_interval() -> None:
    assert mse(np.ones((1, 1, 1, 2)), np.full((1, 1, 1, 2), 1.5))["mse"] == pytest.approx(0.25)


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    images, reconstructions = rng.random((2, 11, 1, 3, 3))
    whole = squared_error.squared_error(images, reconstructions)
    np.testing.assert_allclose(whole, ((images - reconstructions) ** 2).mean(axis=(1, 2, 3)), rtol=1e-12)
    monkeypatch.setattr(squared_error, "_CHUNK", 20)
    np.testing.assert_array_equal(squared_error.squared_error(images, reconstructions), whole)


def test_shapes_that_broadcast_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"reconstructions: expected the shape of images \[4, 1, 8, 8\], got \[4, 1, 1, 8\]"
    ):
        mse(np.zeros((4, 1, 8, 8)), np.zeros((4, 1, 1, 8)))
    with pytest.raises(ValueError, match="divide 8-bit images by 255"):
        psnr(np.full((1, 1, 2, 2), 255, dtype=np.uint8), np.zeros((1, 1, 2, 2)))

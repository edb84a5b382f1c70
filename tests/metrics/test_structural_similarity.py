"""SSIM and MS-SSIM: closed forms, the definition place by place, scikit-image and torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage.metrics import structural_similarity as skimage_ssim
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure as torchmetrics_ms_ssim,
)
from torchmetrics.functional.image import structural_similarity_index_measure as torchmetrics_ssim

from metrics import structural_similarity
from metrics.reconstruction.ms_ssim import ms_ssim
from metrics.reconstruction.ssim import ssim

C1, C2 = 0.01**2, 0.03**2
WEIGHTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])


def pictures(n: int, channels: int, height: int, width: int, seed: int = 0) -> tuple[NDArray, NDArray]:
    """Smooth images and noisy copies of them."""
    rng = np.random.default_rng(seed)
    x = ndimage.gaussian_filter(rng.random((n, channels, height, width)), (0, 0, 2, 2), mode="wrap")
    x = (x - x.min()) / (x.max() - x.min())
    return x, np.clip(x + 0.15 * rng.normal(size=x.shape), 0, 1)


def by_definition(x: NDArray, y: NDArray, side: int) -> tuple[float, float]:
    """SSIM, and contrast · structure alone, of one image of one channel: window by window, as in the
    paper.
    """
    place = np.arange(side) - (side - 1) / 2
    w = np.exp(-(place[:, None] ** 2 + place**2) / (2 * (1.5 * side / 11) ** 2))
    w /= w.sum()
    whole, structure = [], []
    for i in range(x.shape[0] - side + 1):
        for j in range(x.shape[1] - side + 1):
            a, b = x[i : i + side, j : j + side], y[i : i + side, j : j + side]
            mean_a, mean_b = (w * a).sum(), (w * b).sum()
            var_a, var_b = (w * (a - mean_a) ** 2).sum(), (w * (b - mean_b) ** 2).sum()
            covariance = (w * (a - mean_a) * (b - mean_b)).sum()
            structure.append((2 * covariance + C2) / (var_a + var_b + C2))
            whole.append(structure[-1] * (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1))
    return float(np.mean(whole)), float(np.mean(structure))


@pytest.mark.parametrize("metric", [ssim, ms_ssim])
@pytest.mark.parametrize("shape", [(3, 1, 8, 8), (2, 3, 64, 64), (1, 1, 1, 1), (2, 1, 12, 5)])
def test_identical_images_are_one(metric: object, shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).random(shape)
    assert list(metric(images, images).values()) == [1.0]  # type: ignore[operator]


@pytest.mark.parametrize("side", [1, 8, 64])
def test_flat_images_differ_in_luminance_alone(side: int) -> None:
    x, y = np.full((2, 1, side, side), 0.2), np.full((2, 1, side, side), 0.5)
    luminance = (2 * 0.2 * 0.5 + C1) / (0.2**2 + 0.5**2 + C1)
    assert ssim(x, y)["ssim"] == pytest.approx(luminance, rel=1e-12)
    scales = 3 if side == 64 else 1
    power = WEIGHTS[scales - 1] / WEIGHTS[:scales].sum()
    assert ms_ssim(x, y)["ms_ssim"] == pytest.approx(luminance**power, rel=1e-9)


def test_swapping_light_and_dark_is_negative() -> None:
    x, _ = pictures(3, 1, 32, 32)
    x = np.clip(0.5 + 3 * (x - x.mean()), 0, 1)
    assert ssim(x, 1 - x)["ssim"] < -0.5
    assert ms_ssim(x, 1 - x)["ms_ssim"] == 0


def test_a_reconstruction_that_leaves_the_unit_interval_is_taken_as_it_is() -> None:
    x, y = np.full((1, 1, 16, 16), 1.0), np.full((1, 1, 16, 16), 1.5)
    assert ssim(x, y)["ssim"] == pytest.approx((3 + C1) / (3.25 + C1), rel=1e-12)
    assert -1 <= ssim(x, 0 * x - 1e15)["ssim"] <= 1


@pytest.mark.parametrize("shape", [(4, 1, 11, 11), (3, 1, 28, 28), (3, 3, 64, 64), (2, 1, 40, 97)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_equals_scikit_image(shape: tuple[int, ...], dtype: type) -> None:
    x, y = (images.astype(dtype).astype(np.float64) for images in pictures(*shape))
    expected = [
        skimage_ssim(a, b, channel_axis=0, gaussian_weights=True, use_sample_covariance=False, data_range=1)
        for a, b in zip(x, y, strict=True)
    ]
    # The same sums in another order.
    assert ssim(x.astype(dtype), y.astype(dtype))["ssim"] == pytest.approx(np.mean(expected), rel=1e-12)


@pytest.mark.parametrize("side", [28, 64])
def test_equals_torchmetrics_but_for_the_border_that_it_makes_up(side: int) -> None:
    x, y = pictures(3, 3, side, side)
    _, places = torchmetrics_ssim(torch.tensor(y), torch.tensor(x), data_range=1.0, return_full_image=True)
    assert ssim(x, y)["ssim"] == pytest.approx(float(places[..., 5:-5, 5:-5].mean()), rel=1e-10)


@pytest.mark.parametrize(
    ("shape", "scales"), [((2, 1, 64, 64), 3), ((2, 3, 32, 47), 2), ((1, 1, 176, 180), 5)]
)
def test_ms_ssim_equals_torchmetrics_but_for_that_border(shape: tuple[int, ...], scales: int) -> None:
    x, y = pictures(*shape)
    a, b = torch.tensor(y), torch.tensor(x)
    expected = torch.ones(shape[0])
    weights = WEIGHTS[:scales] / WEIGHTS[:scales].sum()
    for scale, weight in enumerate(weights):
        if scale < scales - 1:
            _, part = torchmetrics_ssim(a, b, data_range=1.0, return_contrast_sensitivity=True)
        else:
            _, places = torchmetrics_ssim(a, b, data_range=1.0, return_full_image=True)
            part = places[..., 5:-5, 5:-5].mean(dim=(1, 2, 3))
        expected = expected * part**weight
        a, b = (torch.nn.functional.avg_pool2d(images, 2) for images in (a, b))
    assert ms_ssim(x, y)["ms_ssim"] == pytest.approx(float(expected.mean()), rel=1e-10)


def test_ms_ssim_is_near_torchmetrics_own() -> None:
    x, y = pictures(2, 1, 192, 192)
    expected = torchmetrics_ms_ssim(torch.tensor(y), torch.tensor(x), data_range=1.0)
    # Its last scale, 12 × 12, is mostly border: it averages 144 places where the window fits 4.
    assert ms_ssim(x, y)["ms_ssim"] == pytest.approx(float(expected), abs=0.01)


@pytest.mark.parametrize(
    ("height", "width", "side"), [(8, 8, 7), (9, 30, 9), (2, 2, 1), (12, 10, 9), (13, 12, 11)]
)
def test_the_definition_place_by_place(height: int, width: int, side: int) -> None:
    x, y = pictures(3, 2, height, width)
    both = [
        [by_definition(a, b, side)[0] for a, b in zip(*image, strict=True)]
        for image in zip(x, y, strict=True)
    ]
    assert ssim(x, y)["ssim"] == pytest.approx(np.mean(both), rel=1e-9)
    # One scale: SSIM, image by image, negative ones as 0.
    assert ms_ssim(x, y)["ms_ssim"] == pytest.approx(np.maximum(np.mean(both, axis=1), 0).mean(), rel=1e-9)


def test_an_odd_last_row_is_left_out_at_the_next_scale() -> None:
    x, y = pictures(1, 1, 23, 24)
    (_, fine), (coarse, _) = (
        by_definition(x[0, 0], y[0, 0], 11),
        by_definition(*(image[0, 0, :22].reshape(11, 2, 12, 2).mean(axis=(1, 3)) for image in (x, y)), 11),
    )
    w = WEIGHTS[:2] / WEIGHTS[:2].sum()
    assert ms_ssim(x, y)["ms_ssim"] == pytest.approx(fine ** w[0] * coarse ** w[1], rel=1e-9)


@pytest.mark.parametrize(
    ("side", "scales"), [(1, 1), (21, 1), (22, 2), (64, 3), (88, 4), (175, 4), (176, 5), (400, 5)]
)
def test_how_many_scales_fit(side: int, scales: int) -> None:
    structure, _ = structural_similarity.similarities(
        np.zeros((1, 1, side, side)), np.zeros((1, 1, side, side)), 5
    )
    assert structure.shape == (1, scales)


@pytest.mark.parametrize("metric", [ssim, ms_ssim])
def test_batches_average_and_chunks_do_not_show(metric: object, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = pictures(7, 1, 32, 32)
    (whole,) = metric(x, y).values()  # type: ignore[operator]
    parts = [next(iter(metric(x[rows], y[rows]).values())) for rows in (slice(0, 5), slice(5, 7))]  # type: ignore[operator]
    assert whole == pytest.approx((5 * parts[0] + 2 * parts[1]) / 7, rel=1e-12)
    monkeypatch.setattr(structural_similarity, "_CHUNK", 2500)
    monkeypatch.setattr(structural_similarity, "_TILE", 5)
    assert next(iter(metric(x, y).values())) == pytest.approx(whole, rel=1e-12)  # type: ignore[operator]

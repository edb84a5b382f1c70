"""Averaging areas: block means if sizes divide; else the mean of the picture painted much finer."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.data.arrays.shrink import shrink

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("size", [8, 16, 32])
def test_sizes_that_divide_give_the_mean_of_blocks(size: int):
    images = RNG.integers(0, 256, (5, 3, 64, 64), dtype=np.uint8)
    block = 64 // size
    sums = images.reshape(5, 3, size, block, size, block).sum(axis=(3, 5), dtype=np.int64)
    np.testing.assert_array_equal(shrink(images, size), (2 * sums + block**2) // (2 * block**2))


@pytest.mark.parametrize(("old", "size"), [(12, 8), (28, 9), (64, 48), (10, 10)])
def test_any_size_is_the_block_mean_of_the_image_painted_finer(old: int, size: int):
    images = RNG.integers(0, 256, (4, 1, old, old), dtype=np.uint8)
    fine = images.repeat(size, axis=2).repeat(size, axis=3)  # every new pixel covers old x old of these
    sums = fine.reshape(4, 1, size, old, size, old).sum(axis=(3, 5), dtype=np.int64)
    np.testing.assert_array_equal(shrink(images, size), (2 * sums + old**2) // (2 * old**2))


def test_constant_images_stay_and_halves_round_up():
    assert set(shrink(np.full((1, 1, 256, 256), 255, dtype=np.uint8), 100).ravel()) == {255}
    half = np.tile(np.array([[0, 0], [1, 1]], dtype=np.uint8), (8, 8))[None, None]
    assert set(shrink(half, 8).ravel()) == {1}


def test_photographs_larger_than_float32_can_sum_are_exact_too():
    large = RNG.integers(0, 256, (1, 1, 600, 600), dtype=np.uint8)
    sums = large.reshape(1, 1, 60, 10, 60, 10).sum(axis=(3, 5), dtype=np.int64)
    np.testing.assert_array_equal(shrink(large, 60), (2 * sums + 100) // 200)

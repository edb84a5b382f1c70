"""Expanded images equal the stored ones in every storage format."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from vaecore.images import Images

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 9), (1, 15, 15)])
def test_bits_expand_to_the_packed_images(shape):
    white = RNG.random((20, *shape)) < 0.3
    packed = np.packbits(white.reshape(20, -1), axis=1)
    images = Images(torch.from_numpy(packed), shape)
    index = torch.tensor([3, 3, 19, 0])
    batch = images.batch(index)
    assert batch.dtype == torch.float32
    assert len(images) == 20
    np.testing.assert_array_equal(batch.numpy(), white[index].astype(np.float32))


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 9)])
def test_bytes_expand_to_fractions_of_255(shape):
    stored = RNG.integers(0, 256, (20, *shape), dtype=np.uint8)
    stored[0], stored[1] = 0, 255
    batch = Images(torch.from_numpy(stored), shape).batch(torch.arange(20))
    np.testing.assert_allclose(batch.numpy(), stored / 255, rtol=2e-7)  # float32 rounds twice
    assert batch.min() == 0
    assert batch.max() == 1, "white is exactly 1, so that log-densities are those of [0, 1]"


def test_a_read_only_memory_map_works(tmp_path):
    stored = RNG.integers(0, 256, (10, 1, 8, 8), dtype=np.uint8)
    np.save(tmp_path / "images.npy", stored)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # from_numpy warns of read-only arrays
        mapped = torch.from_numpy(np.load(tmp_path / "images.npy", mmap_mode="r"))
    batch = Images(mapped, (1, 8, 8)).to("cpu").batch(torch.tensor([9]))
    batch += 1  # a batch is a copy
    np.testing.assert_array_equal(mapped.numpy(), stored)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (torch.zeros(4, 1, 8, 8), "float32"),
        (torch.zeros(4, 1, 8, 9, dtype=torch.uint8), r"\[4, 1, 8, 9\]"),
        (torch.zeros(4, 9, dtype=torch.uint8), r"\[N, 8\]"),
        (torch.zeros(4, dtype=torch.uint8), r"\[4\]"),
    ],
)
def test_wrong_storage_is_named(stored, message):
    with pytest.raises(ValueError, match=message):
        Images(stored, (1, 8, 8))

"""The benchmarks' images are the data set's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import sprites
from pipeline.data.shared import dsprites


def test_images_are_evenly_spaced_rows_of_the_data_set(images: Path):
    whole = {name: list(range(size)) for name, size in dsprites.SIZES.items()}
    chosen = set((np.arange(130) * sprites.TOTAL // 130).tolist())
    expected, at = [], 0
    for block in dsprites.draw(whole):
        expected += [block[row - at] for row in sorted(chosen) if at <= row < at + len(block)]
        at += len(block)
    assert np.array_equal(sprites.draw(130), np.stack(expected))


def test_peers_see_the_same_pixels(images: Path):
    everything = torch.arange(130)
    assert torch.equal(sprites.packed(images).batch(everything), sprites.floats(images))


@pytest.mark.parametrize("n", [0, sprites.TOTAL + 1])
def test_an_impossible_number_of_images_is_an_error(n: int):
    with pytest.raises(ValueError, match="--images"):
        sprites.draw(n)

"""Pictures of a model: whole pixels, true colours, the same images for every model."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.scoring import pictures, score_cache
from tests.vaecore.small import L, make
from vaecore.batch import Sampler
from vaecore.families import Family, names, reference
from vaecore.images import Images


def drawn(family: Family, sampler: Sampler, rows: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """File name -> pixels."""
    return {
        file: np.asarray(Image.open(io.BytesIO(content)))
        for file, content in pictures.draw(family, sampler, rows).items()
    }


@pytest.mark.parametrize("name", names())
def test_pictures_are_grids_of_whole_pixels(name: str, sampler: Sampler):
    found = drawn(make(name), sampler)
    assert set(found) == score_cache.PICTURES
    # 8 x 8 images are shown as 64 x 64, with 2 pixels between them and around
    assert found["reconstructions.png"].shape == (4 * 66 + 2, 10 * 66 + 2)
    assert found["traversals.png"].shape == (L * 66 + 2, 11 * 66 + 2)
    original = found["reconstructions.png"][2:66, 2:66]
    pixels = original[::8, ::8]
    np.testing.assert_array_equal(original, pixels.repeat(8, 0).repeat(8, 1))
    assert (sampler.images.stored[:, 0].numpy() == pixels).all(axis=(1, 2)).any()


@pytest.mark.parametrize("name", names())
def test_every_model_is_shown_the_same_images(name: str, sampler: Sampler):
    rows = np.arange(100) % 5 == 0
    one, other = (
        drawn(family, sampler, rows)["reconstructions.png"]
        for family in (make(name, seed=1), make(reference(), seed=2))
    )
    np.testing.assert_array_equal(one[2:66], other[2:66])
    assert (one[68:132] != other[68:132]).any()


@pytest.mark.parametrize("name", names())
def test_a_row_of_traversals_moves_one_latent_of_one_image(name: str, sampler: Sampler):
    """From -2 to 2 for the prior N(0, 1), else two standard deviations to either side of the codes' mean.

    Latents with the highest rate are on top; if the rate is not known by latent, those that vary most.
    """
    family = make(name, seed=1)
    found = drawn(family, sampler)["traversals.png"]
    batch = sampler.batch(torch.from_numpy(np.random.default_rng(0).permutation(100)))
    noise = {key: torch.zeros(shape) for key, (_, shape) in family.code_noise(100).items()}
    with torch.inference_mode():
        encoding = family.encode(batch, noise, distortion=False)
        codes, rate = encoding.codes, encoding.rate_per_group.mean(0)
        spread = codes.std(0, unbiased=False)
        known = len(rate) == L and rate.isfinite().all()
        for row, latent in enumerate(torch.argsort(rate if known else spread, descending=True)):
            ends = torch.tensor([-2.0, 2.0])
            if family.prior != "standard_normal":
                ends = codes[:, latent].mean() + ends * spread[latent]
            z = codes[:1].repeat(2, 1)
            z[:, latent] = ends
            expected = family.decode(z, batch.part(torch.zeros(2, dtype=torch.int64)))[:, 0]
            top = 2 + 66 * row
            shown = np.stack([found[top : top + 64, 2:66], found[top : top + 64, -66:-2]])[:, ::8, ::8]
            # half a grey level where it is rounded, and what float32 leaves open beside it
            np.testing.assert_allclose(shown, 255 * expected, atol=0.501)


def test_colours_stay_colours():
    stored = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (30, 3, 64, 64)).astype(np.uint8))
    family = make(reference(), shape=(3, 64, 64))
    page = drawn(family, Sampler(Images(stored, (3, 64, 64))))["reconstructions.png"]
    assert page.shape == (4 * 66 + 2, 10 * 66 + 2, 3)
    assert (stored.permute(0, 2, 3, 1).numpy() == page[2:66, 2:66]).all(axis=(1, 2, 3)).any()

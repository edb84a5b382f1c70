"""Nuisances have their distribution, are independent, and are the same for a row wherever it is drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vaecore import nuisances
from vaecore.images import Images
from vaecore.nuisances import Nuisance

SIZE = (16, 16)
PICTURE = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 40, 60), dtype=np.uint8))
SPRITE = torch.zeros(1, 1, *SIZE)
SPRITE[:, :, 4:12, 4:12] = 1


def nuisance(name: str) -> Nuisance:
    return Nuisance(name, SIZE, PICTURE if name == "background" else None)


def images(name: str | None, *, packed: bool = False, first: int = 0) -> Images:
    white = np.random.default_rng(1).random((300, 1, *SIZE)) < 0.3
    stored = np.packbits(white.reshape(300, -1), axis=1) if packed else 255 * white.astype(np.uint8)
    shape = (1 if name is None else 3, *SIZE)
    return Images(torch.from_numpy(stored), shape, None if name is None else nuisance(name), first=first)


def with_nuisance(
    name: str, rows: int, salt: int | None = None, sprite: torch.Tensor = SPRITE
) -> torch.Tensor:
    salts = None if salt is None else torch.full((rows,), salt)
    return nuisance(name)(sprite.expand(rows, -1, -1, -1), torch.arange(rows), salts)


@pytest.mark.parametrize("name", nuisances.names())
def test_images_are_in_range_and_of_the_row_alone(name: str):
    every = images(name)
    batch = every.batch(torch.arange(300))
    assert batch.shape == (300, 3, *SIZE)
    assert batch.dtype == torch.float32
    assert batch.min() >= 0
    assert batch.max() <= 1
    some = torch.tensor([7, 250, 7])
    torch.testing.assert_close(every.batch(some), batch[some], rtol=0, atol=0)
    torch.testing.assert_close(images(name, packed=True).batch(some), batch[some], rtol=0, atol=0)
    torch.testing.assert_close(every.part(200, 300).batch(torch.tensor([50])), batch[250:251], rtol=0, atol=0)
    assert len(torch.unique(batch.flatten(1), dim=0)) == 300, "no two rows are equal"


@pytest.mark.parametrize("name", nuisances.names())
def test_another_salt_gives_another_image_and_the_same_salt_the_same(name: str):
    one, other, again = (with_nuisance(name, 20, salt) for salt in (5, 6, 5))
    torch.testing.assert_close(one, again, rtol=0, atol=0)
    assert ((one - other).abs().flatten(1).amax(1) > 0).all()
    torch.testing.assert_close(with_nuisance(name, 20, 0), with_nuisance(name, 20), rtol=0, atol=0)


def test_colour_is_one_per_image_uniform_from_a_half_to_one_and_the_ground_black():
    x = with_nuisance("colour", 4000)
    assert (x[:, :, SPRITE[0, 0] == 0] == 0).all()
    inside = x[:, :, 4:12, 4:12].flatten(2)  # [N, 3, 64]
    assert (inside == inside[:, :, :1]).all()
    uniform(2 * inside[:, :, 0] - 1)


def test_noise_is_uniform_over_grey_levels_and_the_sprite_white():
    x = with_nuisance("noise", 500)
    assert (x[:, :, SPRITE[0, 0] == 1] == 1).all()
    ground = x[:, :, SPRITE[0, 0] == 0]  # [N, 3, pixels]
    levels = torch.bincount((255 * ground).round().long().flatten(), minlength=256).double()
    expected = levels.sum() / 256
    # chi-squared of 255 degrees of freedom: 400 has a probability of 1e-8
    assert ((levels - expected) ** 2 / expected).sum() < 400
    torch.testing.assert_close(255 * ground, (255 * ground).round(), rtol=0, atol=1e-4)
    independent(ground.flatten(1))


def test_the_background_is_a_crop_mixed_with_a_colour_and_the_sprite_its_inverse():
    x = with_nuisance("background", 3000)
    ground = with_nuisance("background", 3000, sprite=torch.zeros(1, 1, *SIZE))
    inside = SPRITE[0, 0] == 1
    torch.testing.assert_close(x[:, :, ~inside], ground[:, :, ~inside])
    torch.testing.assert_close(x[:, :, inside], 1 - ground[:, :, inside], rtol=0, atol=1e-6)
    crops = (PICTURE / 255).unfold(1, 16, 1).unfold(2, 16, 1).permute(1, 2, 0, 3, 4).reshape(-1, 3, *SIZE)
    colours = []
    for image in ground[:200]:
        # 2 b - crop is one colour at the right place
        rest = (2 * image - crops).flatten(2)
        spread = (rest.amax(2) - rest.amin(2)).amax(1)
        place = int(spread.argmin())
        assert spread[place] < 1e-5
        colours.append(rest[place, :, 0])
    uniform(torch.stack(colours), tolerance=4)


def uniform(u: torch.Tensor, tolerance: float = 5) -> None:
    """Mean and variance of U(0, 1) within so many standard errors, columns uncorrelated."""
    u = u.double()
    n = len(u)
    assert ((u.mean(0) - 0.5).abs() < tolerance * (1 / 12 / n) ** 0.5).all()
    # the variance of (u - 1/2)² is 1/180
    assert (((u - 0.5).square().mean(0) - 1 / 12).abs() < tolerance * (1 / 180 / n) ** 0.5).all()
    independent(u)


def independent(u: torch.Tensor) -> None:
    """Neighbouring columns and neighbouring rows are uncorrelated: |r| √n is below 5."""
    for one, other in ((u[:, 1:], u[:, :-1]), (u[1:], u[:-1])):
        pair = torch.stack([one.flatten(), other.flatten()]).double()
        assert abs(float(torch.corrcoef(pair)[0, 1])) * pair.shape[1] ** 0.5 < 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("glitter", SIZE), "the nuisances are: background, colour, noise"),
        (("background", SIZE), "needs a picture"),
        (("noise", SIZE, PICTURE), "takes no picture"),
        (("background", SIZE, PICTURE.float()), "uint8"),
        (("background", (16, 61), PICTURE), "at least as large as the images, 16×61, got 40×60"),
    ],
)
def test_mistakes_are_named(arguments: tuple, message: str):
    with pytest.raises(ValueError, match=message):
        Nuisance(*arguments)


def test_a_nuisance_makes_images_of_three_channels_of_its_size():
    stored = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r"makes images of shape \(3, 16, 16\), got \(3, 8, 8\)"):
        Images(stored, (3, 8, 8), nuisance("colour"))

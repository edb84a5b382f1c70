"""Colour-, Noisy- and Scream-dSprites through fetch, preprocess and training."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from pipeline.data.datasets import dsprites, scream_dsprites
from pipeline.errors import UserError
from pipeline.preprocess import prepare
from pipeline.scoring.encoding import encode
from pipeline.store.layout import Store
from pipeline.study.model import images_of
from tests.pipeline.whole import whole
from tests.vaecore.small import make
from vaecore.batch import Sampler
from vaecore.families import reference
from vaecore.training import Settings, Training, train

NUISANCE = {"color_dsprites": "colour", "noisy_dsprites": "noise", "scream_dsprites": "background"}
SUBSET = {"scale": 2, "orientation": 3, "pos_x": 3, "pos_y": 3}


def ready(name: str, root: Path, **options: Any) -> tuple[Store, Any]:
    module = importlib.import_module(f"pipeline.data.datasets.{name}")
    store = Store(root)
    chosen = module.Options(subset=SUBSET, **options)
    module.fetch(chosen, store.raw(name))
    prepare(name, chosen, store)
    return store, store.read_ready(name, verify=True)


@pytest.mark.parametrize("name", NUISANCE)
def test_the_binary_images_are_stored_and_drawn_in_colour(name: str, tmp_path: Path):
    _, data = ready(name, tmp_path)
    plain = dsprites.prepare(dsprites.Options(subset=SUBSET), tmp_path / "data/raw" / name)
    np.testing.assert_array_equal(data.images, whole(plain))
    assert data.meta["nuisance"] == NUISANCE[name]
    assert data.shape == (3, 64, 64)
    assert (data.picture is not None) == (name == "scream_dsprites")
    x = images_of(data).batch(torch.arange(len(data)))
    assert x.shape == (len(data), 3, 64, 64)
    sprite = torch.from_numpy(np.unpackbits(np.asarray(data.images), axis=1).reshape(-1, 64, 64)).bool()
    if name == "noisy_dsprites":
        assert (x.movedim(1, -1)[sprite] == 1).all()
    elif name == "color_dsprites":
        assert (x.movedim(1, -1)[~sprite] == 0).all()
        assert (x.movedim(1, -1)[sprite] >= 0.5).all()


@pytest.mark.parametrize("name", NUISANCE)
def test_scaled_down_sprites_are_dressed_at_their_size(name: str, tmp_path: Path):
    _, data = ready(name, tmp_path, image_size=32)
    assert data.images.shape == (162, 1, 32, 32)
    assert images_of(data).batch(torch.arange(5)).shape == (5, 3, 32, 32)


@pytest.mark.parametrize("name", NUISANCE)
def test_training_sees_an_image_in_many_dresses_and_evaluation_in_one(name: str, tmp_path: Path):
    _, data = ready(name, tmp_path, image_size=16)
    images = images_of(data)
    settings = Settings(steps=4, batch_size=32, learning_rate=0.001, record_every=2, precision="float32")

    def training(rows: torch.Tensor | None = None) -> Training:
        family = make(reference(), shape=data.shape, dataset_size=len(data))
        return Training(family, Sampler(images, rows=rows), settings, {}, seed=0)

    batch, _ = training(torch.tensor([100])).draw()
    assert len(torch.unique(batch.x.flatten(1), dim=0)) == 32, "one sprite, drawn 32 times"

    # resumed from its middle it ends with the same bits: dresses are part of the run's random numbers
    straight, first, second = training(), training(), training()
    rows = list(train(straight))
    early = [next(train(first))]
    second.load_state_dict(first.state_dict())
    assert early + list(train(second)) == rows
    for weight, other in zip(straight.family.parameters(), second.family.parameters(), strict=True):
        assert torch.equal(weight, other)

    seen = [
        np.concatenate(
            [part.images for part in encode(straight.family, Sampler(images), batch_size=size, seed=0)]
        )  # type: ignore[misc]
        for size in (7, 100)
    ]
    np.testing.assert_array_equal(*seen)
    np.testing.assert_array_equal(seen[0], images.batch(torch.arange(len(images))).numpy())


def test_the_picture_is_scikit_learns_at_half_its_size(tmp_path: Path):
    _, data = ready("scream_dsprites", tmp_path)
    assert data.picture.shape == (3, 213, 320)
    with Image.open(tmp_path / "data/raw/scream_dsprites/picture") as image:
        full = np.asarray(image, dtype=np.int64)
    block = full[10:12, 20:22].sum(axis=(0, 1))
    np.testing.assert_array_equal(data.picture[:, 5, 10], (block + 2) // 4)


def test_another_picture_is_used_unscaled_and_makes_another_data_set(tmp_path: Path):
    pixels = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "mine.png")
    _, data = ready("scream_dsprites", tmp_path, picture=str(tmp_path / "mine.png"))
    np.testing.assert_array_equal(data.picture, pixels.transpose(2, 0, 1))
    _, other = ready("scream_dsprites", tmp_path / "other")
    assert data.meta["checksum"] != other.meta["checksum"]


def test_pictures_that_are_missing_small_or_none_are_errors(tmp_path: Path):
    with pytest.raises(UserError, match=r"missing\.png: there is no such file.*scream_dsprites\.picture"):
        ready("scream_dsprites", tmp_path, picture=str(tmp_path / "missing.png"))
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(UserError, match=r"no image that can be read"):
        ready("scream_dsprites", tmp_path, picture=str(tmp_path / "text.png"))
    Image.new("RGB", (100, 63)).save(tmp_path / "small.png")
    with pytest.raises(UserError, match=r"small\.png has 63×100 pixels, and backgrounds of 64×64"):
        ready("scream_dsprites", tmp_path, picture=str(tmp_path / "small.png"))
    with pytest.raises(ValidationError, match="not an address"):
        scream_dsprites.Options(picture="https://example.org/scream.jpg")


@pytest.mark.parametrize("name", NUISANCE)
def test_damaged_raw_data_names_the_data_set(name: str, tmp_path: Path):
    module: ModuleType = importlib.import_module(f"pipeline.data.datasets.{name}")
    with pytest.raises(UserError, match=f"fetch@{name}"):
        module.prepare(module.Options(subset=SUBSET), tmp_path / name)

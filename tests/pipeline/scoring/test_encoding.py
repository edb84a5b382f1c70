"""Encoding: distortion and rate are those of training for every batch size; nothing is computed in vain."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.scoring.encoding import NATS, collect, drawn, encode, placed
from tests.vaecore.small import make
from vaecore.batch import Sampler
from vaecore.families import Family, names, reference
from vaecore.images import Images

CODES = {"codes", "mean", "std", "rate", "rate_per_group"}
DECODED = {"distortion", "images", "reconstructions"}


def gathered(name: str, sampler: Sampler, **options: Any) -> dict[str, np.ndarray]:
    batches = list(encode(make(name, seed=1), sampler, **{"batch_size": 32, "seed": 0, **options}))
    fields = [field.name for field in dataclasses.fields(batches[0])]
    parts = {field: [getattr(batch, field) for batch in batches] for field in fields}
    return {
        field: np.concatenate([array for array in arrays if array is not None])
        for field, arrays in parts.items()
        if any(array is not None for array in arrays)
    }


def codes_of(family: Family) -> set[str]:
    """The arrays that an encoding has without decoding anything."""
    return CODES if family.has_moments else CODES - {"mean", "std"}


@pytest.mark.parametrize("name", names())
def test_distortion_and_rate_are_those_of_the_familys_terms(name: str, sampler: Sampler):
    found = gathered(name, sampler, batch_size=100)
    family = make(name, seed=1, dataset_size=100).eval()
    noise = placed(drawn(family.code_noise(100), 0), slice(None), "cpu")
    others = {key: torch.rand(shape) for key, (_, shape) in family.noise(100).items()}
    hyper = {key: torch.tensor(2.0) for key, option in family.options.items() if option.scheduled}
    batch = sampler.batch(torch.arange(100))
    with torch.inference_mode():
        terms = family.terms(batch, hyper, others | noise)
        decoded = family.decode(torch.from_numpy(found["codes"]), batch)
    # float32 sums over 64 pixels and 3 latents, added up in another order
    np.testing.assert_allclose(found["distortion"], terms["distortion"], rtol=1e-5)
    np.testing.assert_allclose(found["rate"], terms["rate"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["rate_per_group"], terms["rate_per_group"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["rate_per_group"].sum(axis=1), found["rate"], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(found["images"], batch.x)
    np.testing.assert_allclose(found["reconstructions"], decoded, rtol=1e-5)
    if family.prior == "standard_normal" and family.has_moments:
        mean, std = found["mean"], found["std"]
        per_latent = (mean**2 + std**2 - 1 - 2 * np.log(std)) / 2
        np.testing.assert_allclose(found["rate_per_group"], per_latent, rtol=1e-4, atol=1e-6)
    if family.deterministic:
        assert (found["std"] == 0).all()
        np.testing.assert_array_equal(found["mean"], found["codes"])


@pytest.mark.parametrize("name", names())
def test_nats_are_in_double_precision_and_codes_are_not(name: str, sampler: Sampler):
    for field, array in gathered(name, sampler).items():
        assert array.dtype == (np.float64 if field in NATS else np.float32), field


@pytest.mark.parametrize("name", names())
def test_the_batch_size_changes_no_number(name: str, sampler: Sampler):
    whole, parts = gathered(name, sampler, batch_size=100), gathered(name, sampler, batch_size=7)
    assert whole.keys() == parts.keys() == codes_of(make(name)) | DECODED
    for field, expected in whole.items():
        # matrix products of other sizes round differently in float32
        np.testing.assert_allclose(parts[field], expected, rtol=1e-4, atol=1e-5, err_msg=field)


@pytest.mark.parametrize("name", names())
def test_only_some_rows_are_decoded(name: str, sampler: Sampler):
    rows = np.zeros(100, dtype=bool)
    rows[[3, 40, 41]] = True  # two of the four batches have none
    whole, some = gathered(name, sampler), gathered(name, sampler, rows=rows)
    # what is decoded is encoded apart from the rest: matrix products of other sizes round differently
    for field in codes_of(make(name)):
        np.testing.assert_allclose(some[field], whole[field], rtol=1e-4, atol=1e-5, err_msg=field)
    for field in DECODED:
        np.testing.assert_allclose(some[field], whole[field][rows], rtol=1e-4, atol=1e-5, err_msg=field)


@pytest.mark.parametrize("name", names())
def test_no_more_is_computed_than_is_needed(name: str, sampler: Sampler, monkeypatch: pytest.MonkeyPatch):
    family, decoded = make(name), []
    encoding = family.encode
    monkeypatch.setattr(family, "reconstruct", lambda batch: pytest.fail("it reconstructs"))
    monkeypatch.setattr(
        family,
        "encode",
        lambda batch, noise, distortion: (
            decoded.append(distortion) or encoding(batch, noise, distortion=distortion)
        ),
    )
    for seen in encode(family, sampler, batch_size=32, seed=0, distortion=False, reconstructions=False):
        computed = {key for key, array in dataclasses.asdict(seen).items() if array is not None}
        assert computed == codes_of(family)
    assert decoded == [False] * 4


def test_bits_are_the_images_they_stand_for():
    pixels = np.random.default_rng(0).integers(0, 2, (50, 1, 8, 8)).astype(np.uint8)
    bits = Images(torch.from_numpy(np.packbits(pixels.reshape(50, -1), axis=1)), (1, 8, 8))
    whole = Images(torch.from_numpy(pixels * 255), (1, 8, 8))
    one, other = gathered(reference(), Sampler(bits)), gathered(reference(), Sampler(whole))
    for field, expected in other.items():
        np.testing.assert_allclose(one[field], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", names())
def test_the_requested_arrays_are_collected(name: str, sampler: Sampler):
    whole = gathered(name, sampler)
    rows = np.arange(100) % 4 == 0
    seen: list[int] = []
    found = collect(
        make(name, seed=1), sampler, ["codes", "distortion"], batch_size=32, seed=0, rows=rows,
        watch=[lambda images, reconstructions: seen.append(len(images) + 1000 * len(reconstructions))],
    )  # fmt: skip
    assert list(found) == ["codes", "distortion"]
    np.testing.assert_allclose(found["codes"], whole["codes"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["distortion"], whole["distortion"][rows], rtol=1e-4)
    assert seen == [8008, 8008, 8008, 1001]

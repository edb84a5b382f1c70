"""Images of the data and of the prior: that they are those, as many, and of a seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.scoring.encoding import drawn, placed
from pipeline.scoring.sampling import chosen, real, samples
from tests.vaecore.small import make
from vaecore.batch import Sampler
from vaecore.families import family_class, names, reference
from vaecore.images import Images

WITH_PRIOR = [name for name in names() if family_class(name).has_prior]


def test_real_images_are_of_the_rows_and_none_comes_twice(images: Images):
    rows = np.arange(100) % 4 == 0
    found = real(images, rows, 10, seed=3)
    assert found.shape == (10, 1, 8, 8)
    allowed = images.batch(torch.from_numpy(np.flatnonzero(rows))).numpy().reshape(25, -1)
    places = [np.flatnonzero((allowed == image.ravel()).all(axis=1))[0] for image in found]
    assert places == sorted(set(places))
    np.testing.assert_array_equal(found, real(images, rows, 10, seed=3))
    assert (found != real(images, rows, 10, seed=4)).any()
    np.testing.assert_array_equal(real(images, rows, 25, seed=3).reshape(25, -1), allowed)
    assert len(real(images, None, 1000, seed=3)) == 100


def test_samples_are_the_expected_images_of_standard_normal_codes(sampler: Sampler):
    family = make(reference())
    found = samples(family, 20, seed=5, batch_size=8, sampler=sampler)
    codes = np.random.default_rng(5).standard_normal((20, 3), dtype=np.float32)
    with torch.inference_mode():
        expected = family.decode(torch.from_numpy(codes)).numpy()
    # matrix products of other sizes round differently in float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", WITH_PRIOR)
def test_samples_are_of_the_familys_own_prior_and_of_a_seed(name: str, sampler: Sampler):
    """A family that needs labels or factors gets those of as many rows."""
    family = make(name).eval()
    rows = np.arange(100) % 2 == 0
    found = samples(family, 20, seed=5, batch_size=8, sampler=sampler, rows=rows)
    places = np.random.default_rng(5).permutation(chosen(100, rows, 20, 5))
    given = sampler.batch(torch.from_numpy(places))
    with torch.inference_mode():
        noise = placed(drawn(family.sample_noise(20), 5), slice(None), "cpu")
        expected = family.sample(noise, given if family.conditioned else None).numpy()
    # matrix products of other sizes round differently in float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert found.shape == (20, 1, 8, 8)
    assert (rows[places]).all()
    other = samples(family, 20, seed=6, batch_size=8, sampler=sampler, rows=rows)
    assert (found != other).any()


@pytest.mark.parametrize("name", WITH_PRIOR)
def test_a_conditioned_family_has_at_most_as_many_samples_as_there_are_rows(name: str, sampler: Sampler):
    rows = np.arange(100) < 7
    found = samples(make(name), 20, seed=0, batch_size=8, sampler=sampler, rows=rows)
    assert len(found) == (7 if family_class(name).conditioned else 20)


def test_samples_are_images_though_a_gaussians_mean_is_any_number(sampler: Sampler):
    family = make(reference(), likelihood={"name": "gaussian", "sigma": 0.1})
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.mul_(20)
    found = samples(family, 50, seed=0, batch_size=50, sampler=sampler)
    assert found.min() == 0
    assert found.max() == 1


@pytest.mark.parametrize("name", sorted(set(names()) - set(WITH_PRIOR)))
def test_a_family_without_a_prior_has_no_samples(name: str, sampler: Sampler):
    with pytest.raises(AssertionError, match="without a prior"):
        samples(make(name), 2, seed=0, batch_size=2, sampler=sampler)

"""digits: what arrives is scikit-learn's data, and nothing else is taken for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.datasets import load_digits

from pipeline.data.datasets import digits
from pipeline.errors import UserError
from tests.pipeline.whole import whole


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    digits.fetch(digits.Options(), tmp_path / "digits")
    return tmp_path / "digits"


def test_images_and_labels_are_those_of_scikit_learn(raw: Path):
    prepared = digits.prepare(digits.Options(), raw)
    images = whole(prepared)
    bundled = load_digits()
    assert images.dtype == np.uint8
    assert images.shape == (1797, *prepared.shape) == (1797, 1, 8, 8)
    np.testing.assert_array_equal(images[:, 0], np.round(bundled.images * 255 / 16))
    np.testing.assert_array_equal(prepared.labels, bundled.target)
    assert (images.min(), images.max()) == (0, 255)
    assert prepared.factors is None
    assert not prepared.grid


def test_fetching_again_changes_nothing(raw: Path):
    before = (raw / digits.TABLE).stat().st_mtime_ns
    digits.fetch(digits.Options(), raw)
    assert (raw / digits.TABLE).stat().st_mtime_ns == before
    assert [path.name for path in raw.iterdir()] == [digits.TABLE]


def test_a_damaged_file_is_an_error_and_fetching_repairs_it(raw: Path):
    path = raw / digits.TABLE
    path.write_text(path.read_text().replace("0,0,5", "0,0,6", 1))
    with pytest.raises(UserError, match=r"digits\.csv.*\n?.*dvc repro --force fetch@digits"):
        digits.prepare(digits.Options(), raw)
    digits.fetch(digits.Options(), raw)
    assert len(whole(digits.prepare(digits.Options(), raw))) == 1797


def test_a_missing_file_is_an_error(tmp_path: Path):
    with pytest.raises(UserError, match="fetch@digits"):
        digits.prepare(digits.Options(), tmp_path / "digits")


@pytest.mark.parametrize("size", [7, 9, 64])
def test_images_of_8_pixels_have_one_size(size: int):
    with pytest.raises(ValidationError, match="scaled down only, from 8 pixels"):
        digits.Options(image_size=size)
    assert digits.Options(image_size=8).image_size == 8


def test_other_digits_in_another_scikit_learn_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    other = load_digits()
    other.target[0] = 9
    monkeypatch.setattr("sklearn.datasets.load_digits", lambda: other)
    with pytest.raises(UserError, match=r"constraints\.txt"):
        digits.fetch(digits.Options(), tmp_path)
    assert not list(tmp_path.iterdir())

"""The benchmark of loading: its formats are those of the data sets, and its result is complete."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import loading


@pytest.mark.parametrize("form", loading.FORMATS, ids=lambda form: form.example)
def test_a_format_is_stored_and_drawn_as_the_data_set_is(form: loading.Format, tmp_path: Path):
    path = tmp_path / "images.npy"
    loading.write(form, 70, path)
    stored = np.load(path)
    assert stored.shape == (70, *form.row)
    images = loading.opened(form, path)
    assert images.batch(torch.arange(3)).shape == (3, *form.shape)
    loading.loader(images, torch.Generator())()


def test_the_command_prints_and_writes_the_rates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loading, "FORMATS", loading.FORMATS[:1])
    path = loading.main(["--images", "300", "--seconds", "0.01", "--rounds", "1", "--out", str(tmp_path)])
    (row,) = json.loads(path.read_text())["rows"]
    assert row["ratio"] == pytest.approx(row["loaded"] / row["trained"])
    assert min(row["loaded"], row["trained"]) > 0
    assert "digits" in capsys.readouterr().out
    assert [file.name for file in tmp_path.iterdir()] == [path.name], "the images are gone"

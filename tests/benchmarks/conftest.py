"""A few images of dSprites, drawn once."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import sprites


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the files of 130 images."""
    folder = tmp_path_factory.mktemp("sprites")
    sprites.write(130, folder)
    return folder

"""Fixtures for every test: the shared reference data, and small real data in a store of the test's own."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from pipeline.store.layout import Store

torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference values and genuine data that BETABENCH_SHARED names; a user's clone has none."""
    folder = os.environ.get("BETABENCH_SHARED")
    if not folder or not Path(folder).is_dir():
        pytest.skip("BETABENCH_SHARED does not name the folder of reference data")
    return Path(folder)


@pytest.fixture
def digits_store(tmp_path: Path) -> Store:
    """A store with 300 of scikit-learn's digits, prepared, 60 of them held out."""
    digits = load_digits()
    store = Store(tmp_path)
    store.write_ready(
        "digits",
        images=np.round(digits.images[:300] * 255 / 16).astype(np.uint8)[:, None],
        labels=digits.target[:300].astype(np.int64),
        split=np.where(np.arange(300) % 5 == 0, 2, 0).astype(np.uint8),
        meta={"shape": [1, 8, 8], "storage": "uint8", "licence": "BSD-3-Clause", "citation": "scikit-learn"},
    )
    return store


FIRST = ("test_study.py", "test_guide.py", "test_evaluate.py", "test_model_grid.py")
"""Files of the longest tests, mostly real studies."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests first, on one worker: or a core waits at the end, and one study for another."""
    items.sort(key=lambda item: item.path.name not in FIRST)

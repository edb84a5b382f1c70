"""Continuous attributes stand in for factors in the metrics that take these as numbers, and in no other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

import metrics
from pipeline import evaluate
from pipeline.inputs import truth_of
from pipeline.store import Store
from tests.pipeline.small_study import configure, train_all


@pytest.mark.parametrize("metric", ["r2", "mcc", "mig"])
def test_attributes_stand_in_where_factors_are_numbers(metric: str):
    assert truth_of(metric, "factors", factors=True, attributes=True) == "factors"
    stands_in = truth_of(metric, "factors", factors=False, attributes=True)
    assert stands_in == ("attributes" if metrics.describe(metric).numbers else None)
    assert truth_of(metric, "factors", factors=False, attributes=False) is None
    assert truth_of(metric, "labels", factors=False, attributes=False) == "labels"


def test_a_study_without_factors_is_scored_on_its_attributes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    store = Store(tmp_path)
    images = np.round(load_digits().images[:300] * 255 / 16).astype(np.uint8)[:, None]
    pixels = images.reshape(300, -1).astype(np.float64)
    along = pixels @ np.linalg.svd(pixels - pixels.mean(axis=0), full_matrices=False)[2][0]
    noise = np.random.default_rng(0).normal(size=300)
    store.write_ready(
        "digits",
        images=images,
        attributes=np.stack([along, noise], axis=1).astype(np.float32),
        meta={"shape": [1, 8, 8], "storage": "uint8", "attribute_names": ["along", "noise"]},
    )
    training = {
        "steps": 300,
        "batch_size": 32,
        "learning_rate": 0.01,
        "precision": "float32",
        "record_every": 100,
    }
    configure(["r2", "mig", "rate"], families={"ae": {}}, untrained=False, training=training)
    train_all(store)
    evaluate.main()
    table = store.scores_table("digits")
    assert table is not None
    found = table.set_index("metric")["value"]
    assert "mig" not in found.index, "MIG counts equal values, which real numbers do not have"
    # three codes tell where an image is along the first principal component of all, and nothing of noise
    assert found["r2_0"] > 0.5
    assert found["r2_1"] < 0.1

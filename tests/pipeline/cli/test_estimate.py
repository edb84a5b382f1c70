"""The time that a plan states is that of earlier trials, of this machine alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipeline.cli.estimate import estimate
from pipeline.store.layout import Store
from pipeline.study.params import Scheduling
from pipeline.training.pack import train
from tests.pipeline.small_trials import make_trial


def test_training_takes_what_an_earlier_trial_of_the_machine_took(digits_store: Store):
    first, longer = make_trial(), make_trial(seed=1)
    longer = replace(longer, training=replace(longer.training, steps=10 * first.training.steps))
    ready = {"digits": digits_store.read_ready("digits")}

    def planned():
        return estimate([longer], [], ready, Scheduling(), digits_store)

    assert planned().unknown == "trial"
    list(train([first], digits_store))
    speed = digits_store.result("digits", first.key)["images_per_second"]
    found = planned()
    assert (found.trials, found.unknown) == (1, "")
    seconds = longer.training.steps * longer.training.batch_size / speed
    assert found.training * found.workers == pytest.approx(seconds)

    path = digits_store.run("digits", first.key) / "result.json"
    result = json.loads(path.read_text())
    result["machine"]["cpu"] = "another one"
    path.write_text(json.dumps(result))
    assert planned().unknown == "trial"
    del result["machine"]
    path.write_text(json.dumps(result))
    assert planned().unknown == "trial"

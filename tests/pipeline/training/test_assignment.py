"""Trials are assigned to packs: every trial once, one data set per pack, work for every worker."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import pytest

from pipeline.study.params import Scheduling
from pipeline.study.trial import Trial
from pipeline.training.assignment import LONGEST, assign, limit_after
from tests.pipeline.small_trials import SETTINGS, make_trial

WORK = {"dsprites": 10.0, "digits": 1.0}


def trial_of(dataset: str, family: str, seed: int, steps: int = 100, **changes: Any) -> Trial:
    training = dataclasses.replace(SETTINGS, steps=steps)
    return make_trial(family, seed, dataset=dataset, training=training, **changes)


STUDY = [
    trial_of(dataset, family, seed)
    for dataset in WORK
    for family in ("ae", "vae", "factor_vae")
    for seed in range(10)
]


def packed(trials: list[Trial], slots: int = 2, failures: Any = None, **scheduling: Any) -> list[list[Trial]]:
    found = assign(
        trials,
        lambda trial: WORK[trial.dataset] * trial.training.steps,
        Scheduling(**scheduling),
        slots=slots,
        failures=failures or {},
    )
    assert Counter(trial.key for pack in found for trial in pack) == Counter(trial.key for trial in trials)
    assert all(len({trial.dataset for trial in pack}) == 1 for pack in found)
    work = [sum(WORK[trial.dataset] * trial.training.steps for trial in pack) for pack in found]
    assert work == sorted(work, reverse=True)
    return found


@pytest.mark.parametrize("gpu", [0, 1])
@pytest.mark.parametrize("pack", ["auto", 1, 3, 1000])
@pytest.mark.parametrize("slots", [1, 2, 7, 500])
@pytest.mark.parametrize("trials", [STUDY, STUDY[:1], STUDY[:7]], ids=len)
def test_every_trial_is_in_one_pack_and_no_worker_has_more_than_its_share(
    trials, slots: int, pack, gpu: float
):
    found = packed(trials, slots, pack=pack, gpu=gpu)
    assert max(map(len, found)) <= -(-len(trials) // slots)  # rounded up
    if pack != "auto":
        assert max(map(len, found)) <= pack


def test_auto_on_a_cpu_is_every_trial_by_itself_in_the_order_given():
    trials = sorted(STUDY, key=lambda trial: -WORK[trial.dataset])
    assert packed(trials) == [[trial] for trial in trials]


def test_a_number_of_trials_on_a_cpu_are_of_one_shape():
    found = packed(STUDY, pack=4)
    assert Counter(map(len, found)) == {4: 6, 3: 12}  # ten of each family and data set
    assert all(len({trial.family for trial in pack}) == 1 for pack in found)
    others = [
        trial_of("digits", "vae", 0, network="conv"),
        trial_of("digits", "vae", 0, latents=4),
        trial_of("digits", "vae", 0, likelihood={"name": "gaussian", "sigma": 1.0}),
        trial_of("digits", "vae", 0, initialization="kaiming"),
        trial_of("digits", "vae", 0, corruption={"name": "noise", "sigma": 0.1}),
        trial_of("digits", "vae", 0),
    ]
    assert packed(others, slots=1, pack=4) == [[trial] for trial in others]


@pytest.mark.parametrize("gpu", [0, 1])
def test_baselines_do_not_take_the_place_of_trials_that_train(gpu: float):
    trials = [trial_of("digits", "vae", seed, steps) for steps in (100, 0) for seed in range(4)]
    found = packed(trials, gpu=gpu, pack=4)
    assert [{trial.untrained for trial in pack} for pack in found] == [{False}, {True}]


def test_auto_on_a_gpu_gives_every_worker_a_queue_with_its_share_of_each_family():
    found = packed(STUDY, slots=2, gpu=1)
    assert [len(pack) for pack in found] == [15, 15, 15, 15]
    for pack in found:
        assert Counter(trial.family for trial in pack) == {"ae": 5, "vae": 5, "factor_vae": 5}
    many = [trial_of("digits", "vae", seed) for seed in range(1000)]
    assert max(map(len, packed(many, slots=1, gpu=1))) <= LONGEST
    assert [len(pack) for pack in packed(many[:5], slots=1, gpu=1)] == [5]


@pytest.mark.parametrize(("gpu", "pack"), [(0, 8), (1, 8), (1, "auto")])
def test_trials_whose_device_failed_are_packed_apart_in_smaller_packs(gpu: float, pack):
    trials = [trial_of("digits", "vae", seed) for seed in range(20)]
    failures = {trial.key: {"reason": "out of memory", "together": 8} for trial in trials[:8]}
    failures[trials[8].key] = {"reason": "KeyError"}  # nothing that fewer trials would cure
    found = packed(trials, slots=1, failures=failures, gpu=gpu, pack=pack)
    apart = [
        pack for pack in found if any(trial.key in failures and trial is not trials[8] for trial in pack)
    ]
    assert sorted(map(len, apart)) == [4, 4]
    assert {trial.key for pack in apart for trial in pack} == {trial.key for trial in trials[:8]}


@pytest.mark.parametrize(
    ("failure", "limit"),
    [
        (None, None),
        ({"reason": "bug"}, None),
        ({"together": 8}, 4),
        ({"together": 3}, 1),
        ({"together": 1}, 1),
    ],
)
def test_half_as_many_after_a_failure(failure, limit):
    assert limit_after(failure) == limit

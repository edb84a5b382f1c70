"""Which metrics apply to a trial: those whose arrays it has and that presume no other prior."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import metrics
from metrics.parameters import parameters
from metrics.vocabulary import PEER_OF, Source, arrays_from
from pipeline.store.layout import Store
from pipeline.store.ready import Ready
from pipeline.study.applicability import inapplicable, lacking, left_out, reasons
from pipeline.study.expansion import peers_of
from tests.pipeline.small_study import prepare
from tests.pipeline.small_trials import make_trial
from vaecore.families import Family, family_class, names

PEERS = set(PEER_OF)
NORMAL = {name for name in metrics.names() if metrics.describe(name).standard_normal}


@pytest.fixture
def ready(tmp_path) -> Ready:
    """Digits with labels and factors."""
    prepare(store := Store(tmp_path))
    return store.read_ready("digits")


def without(ready: Ready, *arrays: str) -> Ready:
    return replace(ready, **dict.fromkeys(arrays))


def test_what_a_data_set_lacks(ready: Ready):
    class Plain(Family):
        terms = None  # type: ignore[assignment]

    def lacks(*arrays: str, family: type[Family] = Plain, peers: bool = True) -> set[str]:
        return set(lacking(without(ready, *arrays), family, peers=peers))

    class Without(Plain):
        has_prior = has_moments = False

    assert lacks() == set()
    assert lacks("factors") == {"factors"}
    assert lacks("labels") == {"labels"}
    assert lacks("factors", "labels") == {"factors", "labels", "targets"}
    assert lacks(peers=False) == PEERS
    assert lacks(family=Without) == {"samples", "mean", "std", *PEERS}


@pytest.mark.parametrize("name", names())
def test_a_family_lacks_what_it_declares(name: str, ready: Ready):
    family = family_class(name)
    expected = set() if family.has_prior else {"samples"}
    expected |= set() if family.has_moments else {"mean", "std", *PEERS}
    assert set(lacking(ready, family, peers=True)) == expected


@pytest.mark.parametrize("name", names())
def test_a_metric_applies_where_it_has_its_arrays_and_its_prior(name: str, ready: Ready):
    family, trial = family_class(name), make_trial(name)
    for metric in metrics.names():
        needs = set(parameters(metric).arrays)
        applies = family.has_prior or "samples" not in needs
        applies &= family.has_moments or not needs & {"mean", "std", *PEERS}
        applies &= metric not in NORMAL or family.prior in (None, "standard_normal")
        why = inapplicable(metric, trial, ready, peers=True)
        assert (why is None) == applies, (metric, why)
        alone = inapplicable(metric, trial, ready, peers=False)
        assert (alone is None) == (applies and not needs & PEERS), (metric, alone)


def test_metrics_that_presume_a_standard_normal_prior_say_so():
    assert {"udr", "kl_decomposition"} <= NORMAL
    assert "rate" not in NORMAL, "it is the family's own"


def test_attributes_are_factors_of_metrics_that_need_numbers(ready: Ready):
    continuous = replace(without(ready, "factors"), attributes=np.zeros((len(ready), 2), dtype=np.float32))
    for metric in metrics.names():
        if "factors" in parameters(metric).arrays:
            applies = metrics.describe(metric).numbers
            why = inapplicable(metric, make_trial(), continuous, peers=True)
            assert why == (None if applies else "the data set has no factors")


def test_trials_that_are_alike_have_the_same_reasons(ready: Ready):
    trials = [make_trial(name, seed) for name in ("vae", "ae") for seed in (0, 1)] + [make_trial("beta_vae")]
    listed, peers = metrics.names(), peers_of(trials)
    found = reasons(list(listed), trials, {"digits": ready}, peers)
    for trial in trials:
        others = bool(peers[trial.key])
        assert others == (trial.family != "beta_vae")
        assert found[trial.key] == {name: inapplicable(name, trial, ready, peers=others) for name in listed}


def test_every_reason_is_given_once_with_its_metrics(ready: Ready):
    families = [name for name in names() if family_class(name).prior != "standard_normal"]
    trials = [make_trial(name, seed) for name in ("vae", *families) for seed in (0, 1)]
    requested = ["rate", "mig", "udr", "kl_decomposition", "frechet_distance"]
    lines = left_out(requested, trials, {"digits": without(ready, "factors")})
    assert lines[0] == "digits: mig: the data set has no factors", "of all families"
    for name in families:
        family = family_class(name)
        if family.prior is not None:
            why = f"it presumes the prior N(0, I), and {name} has another one"
            assert f"{name} on digits: udr, kl_decomposition: {why}" in lines
        if not family.has_prior:
            assert (
                f"{name} on digits: frechet_distance: the family has no prior to draw samples from" in lines
            )
    assert len(lines) == len(set(lines)) == 1 + len(families)
    assert left_out(["rate", "frechet_distance"], trials[:2], {"digits": ready}) == []
    assert left_out(["udr"], trials[:1], {"digits": ready}) == [
        "digits: udr: there is no other seed to compare with"
    ]


def test_the_data_sets_own_arrays_are_of_the_data_set_alone(ready: Ready):
    for name in names():
        assert not set(lacking(ready, family_class(name), peers=True)) & arrays_from(Source.DATA)

"""Which metrics apply to which trials, and why others do not.

A metric does not apply to a trial that lacks an array which the metric needs: a data set without labels, a
family without a prior, a seed without others. Nor does a metric that presumes the prior N(0, I) apply to a
family with another prior. Such a metric has not failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import metrics
from metrics.parameters import parameters
from metrics.vocabulary import PEER_OF
from pipeline.store.ready import Ready
from pipeline.study.expansion import peers_of
from pipeline.study.trial import Trial
from vaecore.families import Family, family_class

__all__ = ["inapplicable", "lacking", "left_out", "reasons", "truth_of"]


def inapplicable(metric: str, trial: Trial, ready: Ready, *, peers: bool) -> str | None:
    """Why a metric does not apply to a trial; None if it applies.

    Args:
        peers: whether there are trials that differ from it in the seed alone.
    """
    family = family_class(trial.family)
    missing = lacking(ready, family, peers=peers)
    has = {"factors": ready.factors is not None, "attributes": ready.attributes is not None}
    for array in sorted(missing.keys() & set(parameters(metric).arrays)):
        if array != "factors" or truth_of(metric, array, **has) is None:
            return missing[array]
    if metrics.describe(metric).standard_normal and family.prior not in (None, "standard_normal"):
        return f"it presumes the prior N(0, I), and {trial.family} has another one"
    return None


def truth_of(metric: str, array: str, *, factors: bool, attributes: bool) -> str | None:
    """The data set's array that a metric gets as its ``array``; None if the data set has none.

    Continuous attributes stand in for missing factors in a metric that needs numbers.

    Args:
        factors, attributes: whether the data set has them.
    """
    if array != "factors" or factors:
        return array
    return "attributes" if attributes and metrics.describe(metric).numbers else None


def lacking(ready: Ready, family: type[Family], *, peers: bool) -> dict[str, str]:
    """Arrays that a trial cannot provide -> why."""
    missing = {}
    if ready.factors is None:
        missing["factors"] = "the data set has no factors"
    if ready.labels is None:
        missing["labels"] = "the data set has no labels"
    if ready.targets is None:
        missing["targets"] = "the data set has neither labels nor factors"
    if not family.has_prior:
        missing["samples"] = "the family has no prior to draw samples from"
    if not family.has_moments:
        moments = (*PEER_OF.values(), *PEER_OF)
        missing |= dict.fromkeys(moments, "the family's codes have no mean and standard deviation")
    if not peers:
        missing |= dict.fromkeys(PEER_OF, "there is no other seed to compare with")
    return missing


def reasons(
    names: Sequence[str],
    trials: Sequence[Trial],
    ready: Mapping[str, Ready],
    peers: Mapping[str, Sequence[Trial]],
) -> dict[str, dict[str, str | None]]:
    """Trial key -> metric -> why it does not apply; None if it applies.

    Args:
        peers: trial key -> the trials that differ from it in the seed alone.
    """
    alike: dict[tuple[str, str, bool], dict[str, str | None]] = {}
    for trial in trials:
        kind = (trial.dataset, trial.family, bool(peers[trial.key]))
        if kind not in alike:
            data = ready[trial.dataset]
            alike[kind] = {name: inapplicable(name, trial, data, peers=kind[-1]) for name in names}
    return {trial.key: alike[trial.dataset, trial.family, bool(peers[trial.key])] for trial in trials}


def left_out(names: Sequence[str], trials: Sequence[Trial], ready: Mapping[str, Ready]) -> list[str]:
    """A line for each reason that leaves metrics out.

    It starts with the families and the data set, "vamp_vae on digits: udr: it presumes ...", or with the data
    set alone, "digits: mig: ...", if the reason is true of all families.
    """
    families: dict[tuple[str, str, str], dict[str, None]] = {}
    found = reasons(names, trials, ready, peers_of(trials))
    for trial in trials:
        for name, why in found[trial.key].items():
            if why is not None:
                families.setdefault((trial.dataset, name, why), {})[trial.family] = None
    grouped: dict[tuple[str, str], list[str]] = {}
    for (dataset, name, why), some in families.items():
        every = {trial.family for trial in trials if trial.dataset == dataset}
        where = dataset if some.keys() == every else f"{', '.join(some)} on {dataset}"
        grouped.setdefault((where, why), []).append(name)
    return [f"{where}: {', '.join(left)}: {why}" for (where, why), left in grouped.items()]

"""Which metrics apply to which trials, and why others do not.

Where a trial does not have an array (a data set without labels, a family without a prior, a seed without others), the metrics
that take it do not apply; they have not failed. Nor does a metric that presumes the prior N(0, I) apply to a family with another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import metrics
from pipeline.store.ready import Ready
from pipeline.study.expansion import peers_of
from pipeline.study.metric_inputs import PEERS, arguments, truth_of
from pipeline.study.trial import Trial
from vaecore.families import Family, family_class

__all__ = ["inapplicable", "lacking", "left_out"]


def inapplicable(metric: str, trial: Trial, ready: Ready, *, peers: bool) -> str | None:
    """Why a metric does not apply to a trial; None where it does.

    Args:
        peers: whether there are trials that differ from it in the seed alone.
    """
    family = family_class(trial.family)
    missing = lacking(ready, family, peers=peers)
    has = {"factors": ready.factors is not None, "attributes": ready.attributes is not None}
    for array in sorted(arguments(metric) & missing.keys()):
        if array != "factors" or truth_of(metric, array, **has) is None:
            return missing[array]
    if metrics.describe(metric).standard_normal and family.prior not in (None, "standard_normal"):
        return f"it presumes the prior N(0, I), and {trial.family} has another one"
    return None


def lacking(ready: Ready, family: type[Family], *, peers: bool) -> dict[str, str]:
    """Array -> why there is none, of those that are missing."""
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
        missing |= dict.fromkeys(
            ("mean", "std", *sorted(PEERS)), "the family's codes have no mean and standard deviation"
        )
    if not peers:
        missing |= dict.fromkeys(sorted(PEERS), "there is no other seed to compare with")
    return missing


def left_out(names: Sequence[str], trials: Sequence[Trial], ready: Mapping[str, Ready]) -> list[str]:
    """A line for each reason that leaves metrics out: "vamp_vae on digits: udr: it presumes ...", or "digits: mig: ..." of all families."""
    families: dict[tuple[str, str, str], dict[str, None]] = {}
    peers = peers_of(trials)
    for trial in trials:
        for name in names:
            why = inapplicable(name, trial, ready[trial.dataset], peers=bool(peers[trial.key]))
            if why is not None:
                families.setdefault((trial.dataset, name, why), {})[trial.family] = None
    grouped: dict[tuple[str, str], list[str]] = {}
    for (dataset, name, why), some in families.items():
        every = {trial.family for trial in trials if trial.dataset == dataset}
        where = dataset if some.keys() == every else f"{', '.join(some)} on {dataset}"
        grouped.setdefault((where, why), []).append(name)
    return [f"{where}: {', '.join(left)}: {why}" for (where, why), left in grouped.items()]

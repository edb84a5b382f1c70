"""Reconstructions and traversals in the report: selects the trials that are shown.

A family is represented by its best setting: by mean MIG if the data set has factors, else by mean -ELBO, else
by mean distortion. A setting is represented by its typical seed: the seed whose value is nearest to the mean
over seeds, not the best seed.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.reporting.outcome import Study
from pipeline.reporting.summary import Estimate, estimates
from pipeline.store.layout import Store
from pipeline.study.settings import BASELINE, Setting
from pipeline.study.trial import Trial

__all__ = ["Exhibit", "data_uri", "gallery"]

CHOSEN_BY = {"mig": +1, "negative_elbo": -1, "distortion": -1}
"""Metric -> +1 if higher is better, else -1. The first with a finite mean selects a family's best setting."""
BUDGET = 500_000
"""Bytes of PNG for settings that do not represent their family; beyond it the page gives the path."""


@dataclass(frozen=True)
class Exhibit:
    """One trial's pictures."""

    setting: Setting
    seed: int
    why: str
    representative: bool
    pictures: Mapping[str, str]
    """Name -> data URI; empty if the trial has no pictures or the budget is spent."""
    path: str
    """The folder of the pictures, relative to the root."""


def gallery(study: Study, store: Store) -> dict[str, list[Exhibit]]:
    """Data set -> exhibits in the order of families; each family's representative comes first."""
    left = BUDGET
    shown = {}
    for dataset, settings in study.settings.items():
        exhibits = []
        for family in dict.fromkeys(setting.family for setting in settings):
            own = [setting for setting in settings if setting.family == family]
            ranked = _ranked(study, dataset, own)
            for place, (setting, trial, why) in enumerate(ranked):
                content = {path.stem: path.read_bytes() for path in store.pictures(dataset, trial.key)}
                size = sum(len(picture) for picture in content.values())
                if place > 0:
                    content = content if size <= left else {}
                    left -= size if content else 0
                path = (store.scores(dataset) / trial.key).relative_to(store.root).as_posix()
                pictures = {name: data_uri(picture) for name, picture in content.items()}
                exhibits.append(Exhibit(setting, trial.seed, why, place == 0, pictures, path))
        shown[dataset] = exhibits
    return shown


def _ranked(study: Study, dataset: str, settings: list[Setting]) -> list[tuple[Setting, Trial, str]]:
    """(setting, typical trial, reason for the choice) of the scored settings, the representative first."""
    for metric, sign in CHOSEN_BY.items():
        means = estimates(study, dataset, metric)
        scored = [setting for setting in settings if setting.name in means and _finite(means[setting.name])]
        if not scored:
            continue
        best = max(scored, key=lambda setting: sign * means[setting.name].mean)
        ordered = [best, *(setting for setting in scored if setting is not best)]
        return [
            (
                setting,
                *_typical(study, setting, metric, means[setting.name], setting is best and len(scored) > 1),
            )
            for setting in ordered
        ]
    return []


def _typical(study: Study, setting: Setting, metric: str, mean: Estimate, best: bool) -> tuple[Trial, str]:
    values = study.table(setting.dataset).loc[setting.name][metric]
    trials = [
        trial for trial in setting.trials if trial.seed in values.index and not math.isnan(values[trial.seed])
    ]
    trial = min(trials, key=lambda trial: (abs(values[trial.seed] - mean.mean), trial.seed))
    name = {"mig": "MIG", "negative_elbo": "−ELBO"}.get(metric, metric)
    reasons = [f"best mean {name} of the family"] if best and setting.family != BASELINE else []
    reasons += [f"the seed nearest to the mean of {mean.n}"] if mean.n > 1 else []
    return trial, "; ".join(reasons)


def _finite(value: Estimate) -> bool:
    return math.isfinite(value.mean)


def data_uri(picture: bytes) -> str:
    """A PNG as a data URI."""
    return "data:image/png;base64," + base64.b64encode(picture).decode("ascii")

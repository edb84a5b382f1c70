"""Reconstructions and traversals of a report: which trials are shown, and why these.

A family is represented by its best setting (mean MIG where there are factors, else mean -ELBO, else mean distortion), and
a setting by its typical seed: the one whose value is nearest to the mean over seeds, not the best one.
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
"""A metric and its better end; the first for which a family has a finite mean decides."""
BUDGET = 500_000
"""Bytes of PNG for settings that do not represent their family; what is beyond is named by its path instead."""


@dataclass(frozen=True)
class Exhibit:
    """One trial's pictures."""

    setting: Setting
    seed: int
    why: str
    representative: bool
    pictures: Mapping[str, str]
    """Name -> data URI; without those that the trial lacks or that are too much for one page."""
    path: str
    """Where they lie, relative to the root."""


def gallery(study: Study, store: Store) -> dict[str, list[Exhibit]]:
    """Data set -> exhibits, families in order, each family's representative first."""
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
    """Settings that have a scored trial, the representative first, each with its typical trial and the reason for it."""
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
    reasons += [f"of {mean.n} seeds the one nearest to the mean"] if mean.n > 1 else []
    return trial, "; ".join(reasons)


def _finite(value: Estimate) -> bool:
    return math.isfinite(value.mean)


def data_uri(picture: bytes) -> str:
    """A PNG as an address that holds it."""
    return "data:image/png;base64," + base64.b64encode(picture).decode("ascii")

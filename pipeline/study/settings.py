"""Settings of a study: groups of trials that differ in the seed alone, with their names and labels.

Scores are averaged over the trials of a setting. The untrained baseline belongs to the family "untrained".
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.study.identity import MODEL
from pipeline.study.trial import Trial
from pipeline.study.wording import ends, short
from vaecore.families import family_class
from vaecore.schedules import schedule

__all__ = ["BASELINE", "Setting", "group", "strength", "strength_axis", "strength_symbol"]

BASELINE = "untrained"
"""The family name of models that are initialised and not trained."""

SYMBOLS = {"latents": "L", "sigma": "σ"}
"""Of the settings that are not options of a family."""


@dataclass(frozen=True)
class Setting:
    """Trials that differ in the seed alone, and what they have in common."""

    dataset: str
    family: str
    """The family's name, or "untrained"."""
    name: str
    """Unique in its data set, as in logs and MLflow: ``beta_vae beta=4``."""
    label: str
    """Its difference from the family's other settings, in symbols: ``β = 4``; empty if there is no other."""
    strength: float
    """Final value of the option that is the family's strength; NaN if the family has none."""
    variant: str
    """Its values of the model's settings that the study varies: ``L = 4, σ = 0.1``; empty if it varies none.

    Distortions are compared within one variant: with another σ the distortion is another quantity."""
    hyper: str
    """All hyper-parameters as JSON."""
    trials: tuple[Trial, ...]


def group(trials: Sequence[Trial]) -> list[Setting]:
    """The settings of one data set's trials, in the order of the trials."""
    groups: dict[tuple[str, str], list[Trial]] = {}
    sigma_alone = _differ_in_sigma_alone([trial.likelihood for trial in trials])
    for trial in trials:
        kind = BASELINE if trial.untrained else trial.family
        model = {name: getattr(trial, name) for name in (*MODEL, "latents")}
        groups.setdefault((kind, json.dumps([dict(trial.hyper), model], sort_keys=True)), []).append(trial)
    plain = {key: members[0].name.removesuffix(f" seed={members[0].seed}") for key, members in groups.items()}
    models = {key: _model(members[0], sigma_alone=sigma_alone) for key, members in groups.items()}
    varying = {
        key: ({} if members[0].untrained else dict(members[0].hyper)) | models[key]
        for key, members in groups.items()
    }
    settings = []
    for key, members in groups.items():
        family, first = key[0], members[0]
        siblings = [values for (other, _), values in varying.items() if other == family]
        name = plain[key]
        if family == BASELINE:
            name = " ".join([BASELINE, *(f"{axis}={short(value)}" for axis, value in varying[key].items())])
        elif list(plain.values()).count(name) > 1:  # two options are the same in short form
            name = f"{name} {json.dumps(dict(first.hyper), sort_keys=True)}"
        settings.append(
            Setting(
                dataset=first.dataset,
                family=family,
                name=name,
                label=_label(first.family, varying[key], siblings),
                strength=float("nan") if family == BASELINE else strength(first),
                variant=", ".join(
                    f"{_symbol(first.family, axis)} = {short(value)}" for axis, value in models[key].items()
                ),
                hyper=json.dumps(dict(first.hyper), sort_keys=True),
                trials=tuple(members),
            )
        )
    return settings


def _differ_in_sigma_alone(likelihoods: Sequence[str | Mapping[str, Any]]) -> bool:
    """Whether all of them are the same likelihood with its σ, so that σ says which one is meant."""
    rests = []
    for likelihood in likelihoods:
        if not isinstance(likelihood, Mapping) or "sigma" not in likelihood:
            return False
        rests.append({**likelihood, "sigma": None})
    return all(rest == rests[0] for rest in rests)


def _model(trial: Trial, *, sigma_alone: bool) -> dict[str, Any]:
    """The trial's values of the model's settings that the study varies, the likelihood or its σ last."""
    values = {axis: getattr(trial, axis) for axis in trial.varied if axis != "likelihood"}
    if "likelihood" in trial.varied:
        if sigma_alone and isinstance(trial.likelihood, Mapping):
            values["sigma"] = trial.likelihood["sigma"]
        else:
            values["likelihood"] = trial.likelihood
    return values


def strength(trial: Trial) -> float:
    """The family's strength at the last step; NaN if the family has none."""
    name = family_class(trial.family).strength
    return math.nan if name is None else float(schedule(trial.hyper[name])(trial.training.steps))


def strength_symbol(family: str) -> str:
    """The symbol of the family's strength: β, γ, C. The family must have a strength."""
    name = family_class(family).strength
    assert name is not None
    return _symbol(family, name)


def strength_axis(family: str) -> str:
    """The title of a figure's axis for the family's strength: "β", "C, nats"."""
    unit = family_class(family).options[str(family_class(family).strength)].unit
    return f"{strength_symbol(family)}, {unit}" if unit else strength_symbol(family)


def _symbol(family: str, setting: str) -> str:
    """The symbol of a setting, β for beta; its name if the papers have no symbol."""
    if setting in MODEL:
        return setting
    option = family_class(family).options.get(setting)
    return (option.symbol if option else SYMBOLS.get(setting, "")) or setting.replace("_", " ")


def _label(family: str, own: Mapping[str, Any], siblings: Sequence[Mapping[str, Any]]) -> str:
    """The values in which the settings of a family differ; if there is one setting, its strength."""
    varied = [name for name in own if any(other[name] != own[name] for other in siblings)]
    first = family_class(family).strength
    shown = varied or [name for name in own if name == first]
    for write in (_brief, _full):
        labels = [
            ", ".join(f"{_symbol(family, name)} = {write(other[name])}" for name in shown)
            for other in siblings
        ]
        if len(set(labels)) == len(labels):
            break
    return ", ".join(f"{_symbol(family, name)} = {write(own[name])}" for name in shown)


def _brief(value: Any) -> str:
    """A value in a label; of a schedule, its ends."""
    if isinstance(value, Mapping) and "schedule" in value:
        return ends(value) or str(value["schedule"])
    return short(value)


def _full(value: Any) -> str:
    """A value in a label if brief values are ambiguous: a schedule with all of its options."""
    if isinstance(value, Mapping) and "schedule" in value:
        rest = ", ".join(
            f"{key} {inner}" for key, inner in value.items() if key not in ("schedule", "from", "to")
        )
        return f"{value['schedule']} {_brief(value)} ({rest})"
    return _brief(value)

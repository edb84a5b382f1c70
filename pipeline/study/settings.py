"""Settings: the trials that differ in nothing but their seed, and what sets one setting apart from another.

The baseline that was never trained is a setting of its own, of the family "untrained".
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.study.identity import MODEL
from pipeline.study.trial import Trial, short
from vaecore.families import family_class
from vaecore.schedules import schedule

__all__ = ["BASELINE", "Setting", "group", "strength", "strength_axis", "strength_symbol"]

BASELINE = "untrained"
"""The family name of models that were initialised and never trained."""

SYMBOLS = {"latents": "L", "sigma": "σ"}
"""Of settings that are no family's options."""


@dataclass(frozen=True)
class Setting:
    """What the trials that differ only in their seed have in common."""

    dataset: str
    family: str
    """The family's name, or "untrained"."""
    name: str
    """Unique in its data set; as in logs and MLflow: ``beta_vae beta=4``."""
    label: str
    """What sets it apart from the family's other settings, with symbols: ``β = 4``; empty where it is the only one."""
    strength: float
    """Final value of the option that is the family's strength; NaN where it has none."""
    variant: str
    """What it has of the model's settings that the study varies: ``L = 4, σ = 0.1``; empty where it varies none. Distortions are
    compared within one: by another σ they are another quantity, and a line through several would join models of two kinds."""
    hyper: str
    """All hyper-parameters as JSON."""
    trials: tuple[Trial, ...]


def group(trials: Sequence[Trial]) -> list[Setting]:
    """One data set's trials as settings, in the order they come in."""
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        kind = BASELINE if trial.untrained else trial.family
        model = {name: getattr(trial, name) for name in (*MODEL, "latents")}
        groups.setdefault((kind, json.dumps([dict(trial.hyper), model], sort_keys=True)), []).append(trial)
    plain = {key: members[0].name.removesuffix(f" seed={members[0].seed}") for key, members in groups.items()}
    varying = {key: _varying(members[0]) for key, members in groups.items()}
    settings = []
    for key, members in groups.items():
        family, first = key[0], members[0]
        siblings = [values for (other, _), values in varying.items() if other == family]
        name = plain[key]
        if family == BASELINE:
            name = " ".join([BASELINE, *(f"{axis}={short(value)}" for axis, value in varying[key].items())])
        elif list(plain.values()).count(name) > 1:  # options that are written the same in short
            name = f"{name} {json.dumps(dict(first.hyper), sort_keys=True)}"
        settings.append(
            Setting(
                dataset=first.dataset,
                family=family,
                name=name,
                label=_label(first.family, varying[key], siblings),
                strength=float("nan") if family == BASELINE else strength(first),
                variant=", ".join(
                    f"{_symbol(first.family, axis)} = {short(value)}" for axis, value in _model(first).items()
                ),
                hyper=json.dumps(dict(first.hyper), sort_keys=True),
                trials=tuple(members),
            )
        )
    return settings


def noise_of(trial: Trial) -> Any:
    """σ of a Gaussian likelihood (a number or "learned"); the name of another."""
    likelihood = trial.likelihood
    return likelihood.get("sigma", likelihood["name"]) if isinstance(likelihood, Mapping) else likelihood


def _varying(trial: Trial) -> dict[str, Any]:
    """What may set a setting apart: the family's options, and what the study varies of the model; σ for a likelihood."""
    return ({} if trial.untrained else dict(trial.hyper)) | _model(trial)


def _model(trial: Trial) -> dict[str, Any]:
    axes = {axis: getattr(trial, axis) for axis in trial.varied if axis != "likelihood"}
    return axes | ({"sigma": noise_of(trial)} if "likelihood" in trial.varied else {})


def strength(trial: Trial) -> float:
    """The family's strength at the last step; NaN where it has none."""
    name = family_class(trial.family).strength
    return math.nan if name is None else float(schedule(trial.hyper[name])(trial.training.steps))


def strength_symbol(family: str) -> str:
    """β, γ, C: of a family that has a strength."""
    name = family_class(family).strength
    assert name is not None
    return _symbol(family, name)


def strength_axis(family: str) -> str:
    """What a figure writes along the axis of a family's strength: "β", "C, nats"."""
    unit = family_class(family).options[str(family_class(family).strength)].unit
    return f"{strength_symbol(family)}, {unit}" if unit else strength_symbol(family)


def _symbol(family: str, setting: str) -> str:
    """β for beta, and so on; the name itself where the papers have no symbol."""
    if setting in MODEL:
        return setting
    option = family_class(family).options.get(setting)
    return (option.symbol if option else SYMBOLS.get(setting, "")) or setting.replace("_", " ")


def _label(family: str, own: Mapping[str, Any], siblings: Sequence[Mapping[str, Any]]) -> str:
    """What differs between the settings of a family; where there is one setting, its strength."""
    varied = [name for name in own if any(other[name] != own[name] for other in siblings)]
    first = family_class(family).strength
    shown = varied or [name for name in own if name == first]
    for write in (_short, _long):
        labels = [
            ", ".join(f"{_symbol(family, name)} = {write(other[name])}" for name in shown)
            for other in siblings
        ]
        if len(set(labels)) == len(labels):
            break
    return ", ".join(f"{_symbol(family, name)} = {write(own[name])}" for name in shown)


def _short(value: Any) -> str:
    if isinstance(value, Mapping) and "schedule" in value:
        ends = "→".join(f"{value[end]:g}" for end in ("from", "to") if end in value)
        return ends or f"{value['schedule']}"
    return short(value)


def _long(value: Any) -> str:
    if isinstance(value, Mapping) and "schedule" in value:
        rest = ", ".join(
            f"{key} {inner}" for key, inner in value.items() if key not in ("schedule", "from", "to")
        )
        return f"{value['schedule']} {_short(value)} ({rest})"
    return _short(value)

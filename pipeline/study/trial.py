"""What a trial is: one configuration and one seed; its key; its name.

Two trials with one key (``pipeline.study.identity``) would compute the same numbers, so a finished one is never computed again; what changes
the key makes a new trial beside the old one. What it ran on, how long, beside which others, and how often it was interrupted
is the result's business, not the key's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from pipeline.study.identity import key_of
from vaecore import families
from vaecore.training import Settings

__all__ = ["Trial", "short"]


@dataclass(frozen=True)
class Trial:
    """One model to train. Two trials are the same exactly when their keys are."""

    dataset: str
    checksum: str
    """of the prepared data."""
    family: str
    hyper: Mapping[str, Any]
    """The family's options: number, word or schedule, all of them, in canonical form."""
    network: str | Mapping[str, Any]
    initialization: str | Mapping[str, Any]
    latents: int
    likelihood: str | Mapping[str, Any]
    corruption: str | Mapping[str, Any]
    training: Settings
    seed: int
    code: str
    """Digest of the code that computes it."""
    varied: tuple[str, ...] = ()
    """Settings of the model that its study has several values of: its name tells them. Not in the key."""

    @cached_property
    def key(self) -> str:
        """20 hexadecimal digits; names the run folder."""
        return key_of(self)

    @property
    def untrained(self) -> bool:
        """A baseline: initialised, scored, never trained."""
        return self.training.steps == 0

    @property
    def name(self) -> str:
        """For people: family, the options that are not at their default, what the study varies, a Gaussian's σ, seed."""
        declared = families.family_class(self.family).options
        values = [
            f"{name}={short(value)}"
            for name, value in self.hyper.items()
            if declared[name].default is None or value != declared[name].canonical(declared[name].default)
        ]
        values += [f"{axis}={short(getattr(self, axis))}" for axis in self.varied if axis != "likelihood"]
        if isinstance(self.likelihood, Mapping) and "sigma" in self.likelihood:
            values.append(f"sigma={self.likelihood['sigma']}")
        elif "likelihood" in self.varied:
            values.append(f"likelihood={short(self.likelihood)}")
        return " ".join(
            [self.family, *values, *(["untrained"] if self.untrained else []), f"seed={self.seed}"]
        )

    def config(self) -> dict[str, Any]:
        """All of it, as JSON knows it."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Trial:
        """The inverse of :meth:`config`."""
        changed = {"training": Settings(**config["training"]), "varied": tuple(config["varied"])}
        return cls(**{**config, **changed})


def short(value: Any) -> str:
    """A setting's value for people: 4, linear(0→25), mlp(256-256)."""
    if isinstance(value, Mapping) and "schedule" in value:
        ends = "→".join(f"{value[end]:g}" for end in ("from", "to") if end in value)
        return f"{value['schedule']}({ends})"
    if isinstance(value, Mapping):
        options = ", ".join(short(each) for name, each in value.items() if name != "name")
        return f"{value['name']}({options})" if options else str(value["name"])
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "-".join(short(each) for each in value) or "linear"
    return f"{value:g}" if isinstance(value, float) else str(value)

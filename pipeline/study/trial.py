"""A trial: one configuration and one seed, with its key and its name.

Two trials with the same key (``pipeline.study.identity``) compute the same numbers, so a finished trial is
never trained again. A change that changes the key makes a new trial beside the old one. The device, the time,
the trials side by side and the interruptions are part of the result and not of the key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from pipeline.study.identity import key_of
from pipeline.study.wording import short
from vaecore import families
from vaecore.training import Settings

__all__ = ["Trial"]


@dataclass(frozen=True)
class Trial:
    """One model to train. Two trials are the same if and only if their keys are."""

    dataset: str
    checksum: str
    """The checksum of the prepared data."""
    family: str
    hyper: Mapping[str, Any]
    """All options of the family, each a number, a word or a schedule, in canonical form."""
    network: str | Mapping[str, Any]
    initialization: str | Mapping[str, Any]
    latents: int
    likelihood: str | Mapping[str, Any]
    corruption: str | Mapping[str, Any]
    training: Settings
    seed: int
    code: str
    """Digest of the code that trains it."""
    varied: tuple[str, ...] = ()
    """Settings of the model of which the study has several values, shown in the name. Not part of the key."""

    @cached_property
    def key(self) -> str:
        """20 hexadecimal digits, which name the run folder."""
        return key_of(self)

    @property
    def untrained(self) -> bool:
        """Whether it is a baseline: initialised and scored, but not trained."""
        return self.training.steps == 0

    @property
    def name(self) -> str:
        """Family, options that are not at their default, settings that the study varies, σ, seed."""
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
        """All fields as JSON values."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Trial:
        """The inverse of :meth:`config`."""
        changed = {"training": Settings(**config["training"]), "varied": tuple(config["varied"])}
        return cls(**{**config, **changed})

"""What makes two trials the same: the parts of a trial's key.

    key = SHA-256(data set's checksum, family and options, network, initialization, latents, likelihood, corruption,
                  training settings, seed, code)

*Code* is the file of every member that the trial uses, and the engine's revision (``vaecore.revision``). So a new member, a comment, a
refactoring change no key, and a changed line in ``factor_vae.py`` changes FactorVAE's.

A setting at the value in ``UNWRITTEN`` is not in the key: adding a setting, with the value that stands for what was done before it
existed, changes no key. These values never change: when a default does, trials that rely on it have a value that is written, and
with it another key. A member's options at their default are left out too: the default stands in the member's file, which is in the key, or in
what members share, which is the revision's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipeline.study.provenance import code_digest
from vaecore.corruptions import CORRUPTIONS
from vaecore.families import FAMILIES
from vaecore.initializations import INITIALIZATIONS
from vaecore.likelihoods import LIKELIHOODS
from vaecore.members import Folder
from vaecore.networks import NETWORKS
from vaecore.posteriors import POSTERIORS
from vaecore.priors import PRIORS
from vaecore.revision import REVISION
from vaecore.schedules import SCHEDULES
from vaecore.training import LEARNING_RATE

if TYPE_CHECKING:
    from pipeline.study.trial import Trial

__all__ = ["MODEL", "UNWRITTEN", "UNWRITTEN_CODE", "code_of", "identity", "key_of"]

MODEL: dict[str, Folder[Any]] = {
    "network": NETWORKS,
    "initialization": INITIALIZATIONS,
    "likelihood": LIKELIHOODS,
    "corruption": CORRUPTIONS,
}
"""Settings of a model that name a member, and the members' folder."""

UNWRITTEN: dict[str, Any] = {
    "network": "conv",
    "latents": 10,
    "likelihood": "bernoulli",
    "corruption": "none",
    "training.betas": [0.9, 0.999],
    "training.precision": "auto",
    "training.record_every": 1000,
}
"""Setting -> the value at which a key leaves it out. An entry never changes; a new setting with a default brings its own."""


UNWRITTEN_CODE: dict[str, str] = {}
"""Module -> the digest at which its file is left out of the code. Where a new setting names a member (an optimizer, say), what it stands for
moves from the engine into that member's file: while the file is as it was then, no key changes."""


def identity(trial: Trial) -> dict[str, Any]:
    """What the key is the digest of."""
    written = {
        "dataset": trial.dataset,
        "checksum": trial.checksum,
        "family": FAMILIES.canonical({**trial.hyper, "name": trial.family}),
        "latents": trial.latents,
        **{name: folder.canonical(getattr(trial, name)) for name, folder in MODEL.items()},
        **{f"training.{name}": value for name, value in asdict(trial.training).items()},
        "seed": trial.seed,
        "code": trial.code,
    }
    if trial.initialization == NETWORKS.read(trial.network).cls.initialization:
        del written["initialization"]  # it stands in the network's file
    written["training.learning_rate"] = LEARNING_RATE.canonical(trial.training.learning_rate)
    written = json.loads(json.dumps(written))
    return {
        name: value for name, value in written.items() if name not in UNWRITTEN or value != UNWRITTEN[name]
    }


def key_of(trial: Trial) -> str:
    """20 hexadecimal digits of the identity's SHA-256."""
    return hashlib.sha256(json.dumps(identity(trial), sort_keys=True).encode()).hexdigest()[:20]


def code_of(family: str, hyper: Mapping[str, Any], learning_rate: Any, **model: Any) -> str:
    """The digest of the code that a trial is computed by; ``model`` has the settings of ``MODEL``."""
    cls = FAMILIES.cls(family)
    scheduled = [value for name, value in hyper.items() if cls.options[name].scheduled]
    modules = {
        f"{FAMILIES.package}.{family}",
        f"{POSTERIORS.package}.{cls.posterior}",
        *([f"{PRIORS.package}.{cls.prior}"] if cls.prior else []),
        *(f"{folder.package}.{folder.read(model[name]).name}" for name, folder in MODEL.items()),
        *(
            f"{SCHEDULES.package}.{value['schedule'] if isinstance(value, Mapping) else 'constant'}"
            for value in (*scheduled, learning_rate)
        ),
    }
    counted = sorted(module for module in modules if UNWRITTEN_CODE.get(module) != code_digest(module))
    return hashlib.sha256(f"{REVISION} {code_digest(*counted)}".encode()).hexdigest()

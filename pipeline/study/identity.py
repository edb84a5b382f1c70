"""The identity of a trial, and its key: two trials with the same key compute the same numbers.

    key = SHA-256(data set's checksum, family and options, network, initialization, latents, likelihood,
                  corruption, training settings, seed, code)

*Code* is the file of every member that the trial uses, and the engine's revision (``vaecore.revision``). So a
new member, a comment or a refactoring changes no key, and a changed line in ``factor_vae.py`` changes the
keys of FactorVAE alone.

A setting is left out of the key at the value that ``UNWRITTEN`` holds for it. So a new setting changes no
key, if its entry is the value that stands for the behaviour before. Entries never change: if a default
changes, the new default is part of the keys of the trials that rely on it, and these keys change. An option
of a member is left out at its default, since the default is in the member's file, which is part of the code.
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
"""Setting of a model that names a member -> the folder of the members."""

UNWRITTEN: dict[str, Any] = {
    "network": "conv",
    "latents": 10,
    "likelihood": "bernoulli",
    "corruption": "none",
    "training.betas": [0.9, 0.999],
    "training.precision": "auto",
    "training.record_every": 1000,
}
"""Setting -> the value at which the key leaves it out. Entries never change; a new setting adds its own."""

UNWRITTEN_CODE: dict[str, str] = {}
"""Module -> the digest at which its file is left out of the code.

If a new setting names a member, an optimizer for example, code moves from the engine into the member's file.
With an entry here, no key changes until that file changes."""


def identity(trial: Trial) -> dict[str, Any]:
    """The values of which the key is the digest."""
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
        del written["initialization"]  # it is in the network's file, which is part of the code
    written["training.learning_rate"] = LEARNING_RATE.canonical(trial.training.learning_rate)
    written = json.loads(json.dumps(written))
    return {
        name: value for name, value in written.items() if name not in UNWRITTEN or value != UNWRITTEN[name]
    }


def key_of(trial: Trial) -> str:
    """20 hexadecimal digits of the identity's SHA-256."""
    return hashlib.sha256(json.dumps(identity(trial), sort_keys=True).encode()).hexdigest()[:20]


def code_of(family: str, hyper: Mapping[str, Any], learning_rate: Any, **model: Any) -> str:
    """The digest of the code that trains a trial; ``model`` holds the settings that ``MODEL`` lists."""
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

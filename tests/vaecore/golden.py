"""Recorded numbers of every member and of the engine, for a fixed seed.

    python -m tests.vaecore.golden    records the numbers of today

    golden/<folder>.json      member -> the digest of its code, the engine's revision, and its numbers

A trial's key contains the file of each member that the trial uses and the engine's revision, and nothing else
of vaecore. So if numbers move, either the member's file has changed, and its keys with it, or the revision
has to be raised: ``verdict`` says which. Recording refuses to overwrite numbers that moved without either.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from pipeline.study.provenance import code_digest
from tests.vaecore import small
from vaecore.corruptions import CORRUPTIONS
from vaecore.families import FAMILIES
from vaecore.initializations import INITIALIZATIONS
from vaecore.likelihoods import LIKELIHOODS
from vaecore.members import Folder
from vaecore.networks import NETWORKS
from vaecore.noise import draw
from vaecore.nuisances import names as nuisances
from vaecore.posteriors import POSTERIORS
from vaecore.priors import PRIORS
from vaecore.revision import REVISION
from vaecore.schedules import SCHEDULES, schedule
from vaecore.training import Settings, Training, train

__all__ = ["FOLDERS", "cases", "numbers", "recorded", "verdict"]

HERE = Path(__file__).parent / "golden"
RECORD = "python -m tests.vaecore.golden"
LEARNED = {"name": "gaussian", "sigma": "learned"}
MOVING = {"schedule": "linear", "from": 0.5, "to": 4, "steps": 5}
COSINE = {"schedule": "cosine", "from": 1e-2, "to": 1e-3, "steps": 4}

RELATIVE, ABSOLUTE = 1e-4, 1e-5
"""Processors add up in different orders: four steps in float32 differ by 5e-6 between vectors of 128 and 512
bits. A changed constant moves numbers by far more."""
DEEP = {"size": 16, "learning_rate": 1e-5}
"""Options for convolutions. Adam divides each gradient by its own size, so that a gradient of pure rounding
moves a weight by the whole learning rate, in either direction. So the learning rate is small, and gradients
are recorded too."""


def learnt(family: str = "vae", **options: Any) -> dict[str, Any]:
    """Four updates, and the trained family's results for eight images."""
    hyper = {key: MOVING for key, each in FAMILIES.cls(family).options.items() if each.scheduled}
    settings = {"steps": 4, "record_every": 1, "learning_rate": COSINE, "precision": "float32"}
    training = small.start(family, hyper=hyper, **({"dataset_size": small.N} | settings | options))
    slopes = gradients(training)
    rows = [row for _, row in train(training)]
    model = training.family.eval()
    generator = torch.Generator().manual_seed(1)
    with torch.inference_mode():
        eight = training.sampler.batch(torch.arange(8))
        noise = draw(model.code_noise(8), generator)
        encoding = model.encode(eight, noise)._asdict()
        images = {"reconstruction": model.reconstruct(eight)}
        if model.has_prior:
            images["sample"] = model.sample(draw(model.sample_noise(8), generator), eight)
        found = {name: each.tolist() for name, each in encoding.items() if each is not None}
        found |= {name: each.flatten(1).sum(1).tolist() for name, each in images.items()}
        if model.has_density:
            found["log_weights"] = model.log_weights(eight, draw(model.code_noise(16), generator), 2).tolist()
    return {"gradients": slopes, "rows": rows, "afterwards": found}


def gradients(training: Training) -> dict[str, float]:
    """The length of each weight's gradient at the start, on eight images."""
    family = training.family
    noise = draw(family.noise(8), torch.Generator().manual_seed(2))
    hyper = {name: torch.tensor(values(1)) for name, values in training.schedules.items()}
    loss = family.terms(training.sampler.batch(torch.arange(8)), hyper, noise)["loss"].mean()
    weights = dict(family.named_parameters())
    found = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
    return {
        name: 0.0 if each is None else each.norm().item() for name, each in zip(weights, found, strict=True)
    }


def scheduled(name: str) -> list[float]:
    values = schedule(SCHEDULE_EXAMPLES[name])
    return [values(step) for step in (0, 1, 7, 13, 25, 50, 77, 110, 200)]


def posterior(name: str) -> dict[str, Any]:
    cls = POSTERIORS.cls(name)
    output = torch.randn(2, 3 * cls.outputs_per_latent, generator=torch.Generator().manual_seed(0))
    made = cls(output)
    z = made.sample(draw(made.noise(2, 3), torch.Generator().manual_seed(1)))
    return {"z": z.tolist(), "log_prob": made.log_prob(z).tolist(), "std": made.std.tolist()}


def prior(name: str) -> dict[str, Any]:
    (family, *_) = (each for each in FAMILIES.names() if FAMILIES.cls(each).prior == name)
    autoencoder = small.make(family).autoencoder
    with torch.inference_mode():
        z = autoencoder.prior.sample(draw(autoencoder.prior.noise(4), torch.Generator().manual_seed(1)))
        rate = autoencoder.rate(autoencoder.posterior_of(small.batch(4).x), z)
        return {"z": z.tolist(), "log_prob": autoencoder.prior.log_prob(z).tolist(), "rate": rate.tolist()}


SCHEDULE_EXAMPLES: dict[str, Any] = {
    "constant": {"schedule": "constant", "value": 3},
    "linear": {"schedule": "linear", "from": 1, "to": 5, "steps": 100},
    "cosine": {"schedule": "cosine", "from": 5, "to": 1, "steps": 100, "delay": 10},
    "cyclical": {"schedule": "cyclical", "from": 0, "to": 4, "period": 20, "ratio": 0.5},
    "sigmoid": {"schedule": "sigmoid", "from": 0, "to": 1, "steps": 100},
}
OPTIONS: dict[str, Any] = {
    "gaussian": {"name": "gaussian", "sigma": 0.3},
    "noise": {"name": "noise", "sigma": 0.5},
}
"""Members that need options."""
MLP = {"name": "mlp", "hidden": [12]}

FOLDERS: dict[str, tuple[Folder[Any], Callable[[str], Any]]] = {
    "families": (FAMILIES, lambda name: learnt(name, likelihood=LEARNED)),
    "networks": (NETWORKS, lambda name: learnt(network=name, **DEEP)),
    "initializations": (INITIALIZATIONS, lambda name: learnt(network="conv", initialization=name, **DEEP)),
    "likelihoods": (LIKELIHOODS, lambda name: learnt(likelihood=OPTIONS.get(name, name))),
    "corruptions": (CORRUPTIONS, lambda name: learnt("ae", corruption=OPTIONS.get(name, name))),
    "schedules": (SCHEDULES, scheduled),
    "posteriors": (POSTERIORS, posterior),
    "priors": (PRIORS, prior),
}
"""Folder -> its members, and the function that computes a member's numbers."""

ENGINE: dict[str, Callable[[], Any]] = {
    "defaults of training": lambda: {
        key: value
        for key, value in asdict(Settings(steps=1, batch_size=1, learning_rate=1)).items()
        if not isinstance(value, str)
    },
    "a critic behind a pyramid": lambda: learnt(
        "factor_vae", network="conv", initialization="tensorflow", **DEEP
    ),
    "odd sizes": lambda: learnt(network="burgess", initialization="tensorflow", **(DEEP | {"size": 15})),
    "some rows": lambda: learnt("beta_tc_vae", rows=torch.arange(5, 33)),
    **{f"nuisance {name}": lambda name=name: learnt(nuisance=name) for name in nuisances()},
}
"""Shared code that the members' own cases do not reach."""


def cases() -> list[tuple[str, str]]:
    """(folder, member) of every case; those of the engine have the folder "engine"."""
    members = [(folder, name) for folder, (holds, _) in FOLDERS.items() for name in holds.names()]
    return members + [("engine", name) for name in ENGINE]


def numbers(folder: str, name: str) -> Any:
    """The numbers of today."""
    found = ENGINE[name]() if folder == "engine" else FOLDERS[folder][1](name)
    return json.loads(json.dumps(found))


def code(folder: str, name: str) -> str:
    """The digest of the member's own file; empty for the engine, which has a revision instead."""
    return "" if folder == "engine" else code_digest(f"{FOLDERS[folder][0].package}.{name}")[:16]


def recorded(folder: str) -> dict[str, Any]:
    path = HERE / f"{folder}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def verdict(folder: str, name: str) -> str | None:
    """What to do about a case; None if its numbers are as recorded."""
    known = recorded(folder).get(name)
    if known is None:
        return f"{folder}/{name} has no golden numbers yet. Record them: {RECORD}"
    moved = difference(known["numbers"], numbers(folder, name))
    if moved is None:
        return None
    if known["code"] != code(folder, name):
        return (
            f"{folder}/{name}: {moved}. Its own file has changed, so trials that use it have other keys and "
            f"are trained anew. If you want that, record the new numbers: {RECORD}"
        )
    if known["revision"] != REVISION:
        return f"{folder}/{name}: {moved}. The revision was raised; record the new numbers: {RECORD}"
    return (
        f"{folder}/{name}: {moved}, but its own file has not changed: the engine computes other numbers, and "
        "finished trials would pass for trials of the new engine. If you want the new numbers, "
        f"raise REVISION in vaecore/revision.py from {REVISION} to {REVISION + 1}, then record them: {RECORD}"
    )


def difference(known: Any, found: Any) -> str | None:
    """The first number that moved, in words."""
    one, other = dict(flat(known)), dict(flat(found))
    if one.keys() != other.keys():
        return f"has {sorted(one.keys() ^ other.keys())[0]} in one and not in the other"
    for place, value in one.items():
        same = value == other[place] or math.isclose(value, other[place], rel_tol=RELATIVE, abs_tol=ABSOLUTE)
        if not same:
            return f"{place} was {value:.6g} and is {other[place]:.6g}"
    return None


def flat(tree: Any, place: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(tree, Mapping):
        for key, each in tree.items():
            yield from flat(each, f"{place}.{key}".lstrip("."))
    elif isinstance(tree, list):
        for index, each in enumerate(tree):
            yield from flat(each, f"{place}[{index}]")
    else:
        yield place, float(tree)


def record() -> int:
    """Record every case that is new or may be overwritten; return 1 if a case may not."""
    torch.set_num_threads(1)
    refused = []
    kept: dict[str, dict[str, Any]] = {}
    for folder, name in cases():
        todo = verdict(folder, name)
        if todo is not None and "raise REVISION" in todo:
            refused.append(todo)
            continue
        known = recorded(folder).get(name)
        fresh = {"code": code(folder, name), "revision": REVISION, "numbers": numbers(folder, name)}
        if known is not None and todo is None:  # equal within the tolerance: keep the recorded digits
            fresh["numbers"] = known["numbers"]
        kept.setdefault(folder, {})[name] = fresh
    if refused:
        print("\n".join(refused), file=sys.stderr)
        return 1
    HERE.mkdir(exist_ok=True)
    for folder, members in kept.items():
        lines = [f"{json.dumps(name)}: {json.dumps(member)}" for name, member in members.items()]
        (HERE / f"{folder}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")  # a line for each member
    print(f"{sum(map(len, kept.values()))} cases in {HERE}")
    return 0


if __name__ == "__main__":
    sys.exit(record())

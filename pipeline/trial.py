"""What a trial is: one configuration and one seed; its identity; its model.

    key = SHA-256(data set's checksum, family and its hyper-parameters, network, latents, likelihood,
                  training settings, seed, digest of the vaecore source files the family depends on)

Two trials with one key would compute the same numbers, so a finished one is never computed again; what changes the
key makes a new trial beside the old one. What it ran on, how long, beside which others, and how often it was interrupted
is the result's business, not the key's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from pipeline import provenance
from pipeline.errors import UserError
from pipeline.hyper_grid import hyper_points
from pipeline.params import Params, of_the_data
from pipeline.store import Ready, Store
from vaecore import families
from vaecore.images import Images
from vaecore.nuisances import Nuisance
from vaecore.training import Settings

__all__ = ["Trial", "build", "expand", "has_prior", "images_of", "load_model", "peers_of", "short"]


@dataclass(frozen=True)
class Trial:
    """One model to train. Two trials are the same exactly when their keys are."""

    dataset: str
    checksum: str
    """of the prepared data."""
    family: str
    hyper: Mapping[str, Any]
    """Hyper-parameter -> number, string or schedule, as configured."""
    network: str | Mapping[str, Any]
    latents: int
    likelihood: str | Mapping[str, Any]
    training: Settings
    seed: int
    source: str
    """Digest of the family's source files."""

    @cached_property
    def key(self) -> str:
        """20 hexadecimal digits of the identity's SHA-256; names the run folder."""
        return hashlib.sha256(json.dumps(self.config(), sort_keys=True).encode()).hexdigest()[:20]

    @property
    def untrained(self) -> bool:
        """A baseline: initialised, scored, never trained."""
        return self.training.steps == 0

    @property
    def name(self) -> str:
        """For people: family, the hyper-parameters that are not the default, a Gaussian's σ, seed."""
        declared = families.family_class(self.family).hyperparameters
        particular = {name: value for name, value in self.hyper.items() if value != declared[name].default}
        values = [f"{name}={short(value)}" for name, value in particular.items()]
        if isinstance(self.likelihood, Mapping) and "sigma" in self.likelihood:
            values.append(f"sigma={self.likelihood['sigma']}")
        return " ".join(
            [self.family, *values, *(["untrained"] if self.untrained else []), f"seed={self.seed}"]
        )

    def config(self) -> dict[str, Any]:
        """Everything the key is made of, as JSON knows it."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Trial:
        """The inverse of :meth:`config`."""
        return cls(**{**config, "training": Settings(**config["training"])})


def short(value: Any) -> str:
    """A hyper-parameter's value for people: 4, linear(0→25)."""
    if isinstance(value, Mapping):
        ends = "→".join(f"{value[end]:g}" for end in ("from", "to") if end in value)
        return f"{value['schedule']}({ends})"
    return f"{value:g}" if isinstance(value, float) else str(value)


def expand(params: Params, ready: Mapping[str, Ready]) -> list[Trial]:
    """Every trial of a study, once: data sets x families x grid points x likelihoods x seeds, baselines last in each data set.

    Raises:
        UserError: a likelihood is to have the data set's noise, which is not known.
    """
    trials = []
    for dataset in params.datasets:
        model, settings = params.model_of(dataset), params.training_of(dataset)
        points = [
            (family, hyper, settings)
            for family, grid in params.families.items()
            for hyper in hyper_points(family, grid or {})
        ]
        try:
            noise = ready[dataset].meta.get("noise_sigma")
            likelihoods = [of_the_data(likelihood, noise) for likelihood in model.likelihoods]
        except ValueError as error:
            raise UserError(f"params.yaml: model.likelihood: {dataset}: {error}.") from None
        if params.untrained:
            points.append(("vae", {}, Settings(**{**asdict(settings), "steps": 0})))
        trials += [
            Trial(
                dataset=dataset,
                checksum=ready[dataset].meta["checksum"],
                family=family,
                hyper=hyper,
                network=model.network,
                latents=model.latents,
                likelihood=likelihood,
                training=training,
                seed=seed,
                source=provenance.source_digest(f"vaecore.families.{family}", "vaecore.training"),
            )
            for family, hyper, training in points
            for likelihood in likelihoods
            for seed in params.seeds
        ]
    return list({trial.key: trial for trial in trials}.values())


def peers_of(trials: Sequence[Trial]) -> dict[str, tuple[Trial, ...]]:
    """Trial key -> those of the trials that differ from it in the seed alone, by seed."""
    groups: dict[str, list[Trial]] = {}
    of: dict[str, list[Trial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.seed):
        rest = {name: value for name, value in trial.config().items() if name != "seed"}
        of[trial.key] = groups.setdefault(json.dumps(rest, sort_keys=True), [])
        of[trial.key].append(trial)
    return {key: tuple(peer for peer in group if peer.key != key) for key, group in of.items()}


def has_prior(trial: Trial) -> bool:
    """Whether its codes have a distribution to draw from; a deterministic code has none."""
    return families.family_class(trial.family).posterior.noise


def build(trial: Trial, ready: Ready) -> families.Family:
    """The trial's model with the weights its seed gives."""
    n = len(ready) if ready.train_rows is None else len(ready.train_rows)
    return families.build(
        trial.family,
        image_shape=ready.shape,
        latents=trial.latents,
        network=trial.network,
        likelihood=trial.likelihood,
        dataset_size=n,
        hyper=dict(trial.hyper),
        seed=trial.seed,
    )


def load_model(trial: Trial, ready: Ready, store: Store) -> families.Family:
    """A finished trial's model, with its trained weights, in evaluation mode.

    Raises:
        UserError: the file with the weights is damaged.
    """
    folder = store.run(trial.dataset, trial.key)
    family = build(trial, ready)
    try:
        family.load_state_dict(load_file(folder / "model.safetensors"))
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{folder / 'model.safetensors'} is damaged ({error}). Remove {folder}; `dvc repro` trains it again."
        ) from None
    return family.eval()


def images_of(ready: Ready) -> Images:
    """The data set's images as training and evaluation take them; shares the memory map."""
    nuisance = None
    if (name := ready.meta.get("nuisance")) is not None:
        picture = None if ready.picture is None else torch.from_numpy(ready.picture)
        nuisance = Nuisance(name, ready.shape[1:], picture)
    return Images(torch.from_numpy(ready.images), ready.shape, nuisance)

"""What a trial is: one configuration and one seed; its key; its model.

Two trials with one key (``pipeline.identity``) would compute the same numbers, so a finished one is never computed again; what changes
the key makes a new trial beside the old one. What it ran on, how long, beside which others, and how often it was interrupted
is the result's business, not the key's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from pipeline.errors import UserError
from pipeline.hyper_grid import hyper_points
from pipeline.identity import MODEL, code_of, key_of
from pipeline.params import Params, of_the_data
from pipeline.ready import Ready
from pipeline.store import Store
from vaecore import families
from vaecore.batch import Sampler
from vaecore.images import Images
from vaecore.networks import NETWORKS
from vaecore.nuisances import Nuisance
from vaecore.training import Settings

__all__ = [
    "Trial",
    "build",
    "expand",
    "images_of",
    "load_model",
    "needs_of",
    "peers_of",
    "sampler_of",
    "short",
]


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


def expand(params: Params, ready: Mapping[str, Ready]) -> list[Trial]:
    """Every trial of a study, once: data sets x families x their grid x the model's grid x seeds, baselines last in each data set.

    Raises:
        UserError: a likelihood is to have the data set's noise, which is not known; a family needs what a data set has not.
    """
    trials = []
    for dataset in params.datasets:
        settings = params.training_of(dataset)
        points = [
            (family, hyper, settings)
            for family, grid in params.families.items()
            for hyper in hyper_points(family, grid or {})
        ]
        for family, hyper, _ in points:
            _check_needs(family, hyper, ready[dataset])
        if params.untrained:
            family = families.reference()
            points.append((family, hyper_points(family, {})[0], Settings(**{**asdict(settings), "steps": 0})))
        varied = tuple(params.model_of(dataset).varied)
        for family, hyper, training in points:
            for values in _models(params, dataset, ready[dataset]):
                code = code_of(
                    family, hyper, training.learning_rate, **{name: values[name] for name in MODEL}
                )
                trials += [
                    Trial(
                        dataset=dataset,
                        checksum=ready[dataset].meta["checksum"],
                        family=family,
                        hyper=hyper,
                        **values,
                        training=training,
                        seed=seed,
                        code=code,
                        varied=varied,
                    )
                    for seed in params.seeds
                ]
    return list({trial.key: trial for trial in trials}.values())


def _models(params: Params, dataset: str, ready: Ready) -> list[dict[str, Any]]:
    """Every point of the model's grid for one data set: a value for each of its settings, in canonical form."""
    points = []
    for point in params.model_of(dataset).points():
        try:
            point["likelihood"] = of_the_data(point["likelihood"], ready.meta.get("noise_sigma"))
        except ValueError as error:
            raise UserError(f"params.yaml: model.likelihood: {dataset}: {error}.") from None
        point["initialization"] = (
            point["initialization"] or NETWORKS.read(point["network"]).cls.initialization
        )
        points.append(
            {name: MODEL[name].canonical(value) if name in MODEL else value for name, value in point.items()}
        )
    return points


def needs_of(family: str, hyper: Mapping[str, Any]) -> frozenset[str]:
    """What a family must be told of every image: of "labels" and "factors"."""
    return families.family_class(family).needs(hyper)


def _check_needs(family: str, hyper: Mapping[str, Any], ready: Ready) -> None:
    for need in sorted(needs_of(family, hyper)):
        if getattr(ready, need) is None:
            has = [name for name in ("labels", "factors", "attributes") if getattr(ready, name) is not None]
            raise UserError(
                f"params.yaml: families.{family}: it needs {need}, and data set {ready.name!r} has "
                f"{' and '.join(has) if has else 'neither labels nor factors'}. Take the family or the data set out of the study, or give "
                f"the data {need} (docs/your-own-data.md)."
            )


def peers_of(trials: Sequence[Trial]) -> dict[str, tuple[Trial, ...]]:
    """Trial key -> those of the trials that differ from it in the seed alone, by seed."""
    groups: dict[str, list[Trial]] = {}
    of: dict[str, list[Trial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.seed):
        rest = {name: value for name, value in trial.config().items() if name != "seed"}
        of[trial.key] = groups.setdefault(json.dumps(rest, sort_keys=True), [])
        of[trial.key].append(trial)
    return {key: tuple(peer for peer in group if peer.key != key) for key, group in of.items()}


def build(trial: Trial, ready: Ready) -> families.Family:
    """The trial's model with the weights its seed gives."""
    needs = needs_of(trial.family, trial.hyper)
    return families.build(
        trial.family,
        image_shape=ready.shape,
        latents=trial.latents,
        network=trial.network,
        initialization=trial.initialization,
        likelihood=trial.likelihood,
        corruption=trial.corruption,
        dataset_size=len(ready) if ready.train_rows is None else len(ready.train_rows),
        classes=ready.classes if "labels" in needs else None,
        factor_sizes=ready.factor_sizes if "factors" in needs else None,
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


def sampler_of(
    ready: Ready, images: Images, needs: frozenset[str], rows: torch.Tensor | None = None
) -> Sampler:
    """Batches of some ``rows``, or of all, with the labels or factors that the family needs, as numbers from 0."""
    known = {name: torch.from_numpy(ready.numbers(name)).to(images.stored.device) for name in sorted(needs)}
    return Sampler(images, rows=rows, **known)

"""From params.yaml to trials: data sets x families x their grid x the model's grid x seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pipeline.errors import UserError
from pipeline.store.ready import Ready
from pipeline.study.hyper_grid import hyper_points
from pipeline.study.identity import MODEL, code_of
from pipeline.study.params import Params, of_the_data
from pipeline.study.trial import Trial
from vaecore import families
from vaecore.networks import NETWORKS
from vaecore.training import Settings

__all__ = ["expand", "needs_of", "peers_of"]


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

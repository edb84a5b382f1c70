"""From params.yaml to trials: data sets x families x their grids x the model's grid x seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pipeline.errors import UserError
from pipeline.store.layout import PARAMS_FILE
from pipeline.store.ready import Ready
from pipeline.study.hyper_grid import hyper_points
from pipeline.study.identity import MODEL, code_of
from pipeline.study.model_settings import with_data_noise
from pipeline.study.params import Params
from pipeline.study.trial import Trial
from vaecore import families
from vaecore.networks import NETWORKS
from vaecore.training import Settings

__all__ = ["expand", "needs_of", "peers_of"]


def expand(params: Params, ready: Mapping[str, Ready]) -> list[Trial]:
    """The trials of a study, each once. The baselines come last in each data set.

    Raises:
        UserError: a likelihood needs the data set's noise, which is not known, or a family needs labels or
            factors that a data set does not have.
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
    """The points of the model's grid for one data set: setting -> value in canonical form."""
    points = []
    for point in params.model_of(dataset).points():
        try:
            point["likelihood"] = with_data_noise(point["likelihood"], ready.meta.get("noise_sigma"))
        except ValueError as error:
            raise UserError(f"{PARAMS_FILE}: model.likelihood: {dataset}: {error}.") from None
        point["initialization"] = (
            point["initialization"] or NETWORKS.read(point["network"]).cls.initialization
        )
        points.append(
            {name: MODEL[name].canonical(value) if name in MODEL else value for name, value in point.items()}
        )
    return points


def needs_of(family: str, hyper: Mapping[str, Any]) -> frozenset[str]:
    """The arrays that a family needs with every image: "labels", "factors", both or neither."""
    return families.family_class(family).needs(hyper)


def _check_needs(family: str, hyper: Mapping[str, Any], ready: Ready) -> None:
    for need in sorted(needs_of(family, hyper)):
        if getattr(ready, need) is None:
            names = [name for name in ("labels", "factors", "attributes") if getattr(ready, name) is not None]
            has = " and ".join(names) or "neither labels nor factors"
            raise UserError(
                f"{PARAMS_FILE}: families.{family}: it needs {need}, and data set {ready.name!r} has {has}. "
                f"Remove the family or the data set from the study, or add {need} to the data "
                "(docs/your-own-data.md)."
            )


def peers_of(trials: Sequence[Trial]) -> dict[str, tuple[Trial, ...]]:
    """Trial key -> the other trials that differ from it in the seed alone, sorted by seed."""
    groups: dict[str, list[Trial]] = {}
    of: dict[str, list[Trial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.seed):
        rest = {name: value for name, value in trial.config().items() if name != "seed"}
        of[trial.key] = groups.setdefault(json.dumps(rest, sort_keys=True), [])
        of[trial.key].append(trial)
    return {key: tuple(peer for peer in group if peer.key != key) for key, group in of.items()}

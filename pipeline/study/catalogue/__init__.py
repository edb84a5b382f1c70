"""The catalogue: every file that params.yaml can name, described by what its module declares.

    kind              folder                       written in params.yaml under
    families          vaecore/families/            families
    networks          vaecore/networks/            model.network
    initializations   vaecore/initializations/     model.initialization
    likelihoods       vaecore/likelihoods/         model.likelihood
    corruptions       vaecore/corruptions/         model.corruption
    posteriors        vaecore/posteriors/          nowhere: a family declares its posterior
    priors            vaecore/priors/              nowhere: a family declares its prior
    schedules         vaecore/schedules/           every option that may be scheduled
    metrics           metrics/*/                   evaluation.metrics
    datasets          pipeline/data/datasets/      datasets

Documentation pages and the command line read entries; neither looks into a module itself.
"""

from __future__ import annotations

import importlib

import metrics
from pipeline.errors import UserError
from pipeline.study.catalogue import of_datasets, of_members, of_metrics
from pipeline.study.catalogue.entry import Entry, OptionRow
from pipeline.study.folders import members

__all__ = ["KINDS", "MEMBERS", "Entry", "OptionRow", "description", "entries", "entry", "find", "names"]

MEMBERS = ("families", *of_members.SETTINGS, "posteriors", "priors", "schedules")
"""Kinds whose files are members of a model: the folders of vaecore."""
KINDS = (*MEMBERS, "metrics", "datasets")


def names(kind: str) -> list[str]:
    """The names of one kind.

    Raises:
        UserError: there is no such kind.
    """
    if kind not in KINDS:
        raise UserError(f"there is no kind {kind!r}. Kinds: {', '.join(KINDS)}.")
    return sorted(metrics.names()) if kind == "metrics" else members(_package(kind))


def description(kind: str) -> str:
    """The docstring of the kind's folder. Raises a UserError like ``names``."""
    names(kind)
    return (importlib.import_module(_package(kind)).__doc__ or "").strip()


def entry(kind: str, name: str) -> Entry:
    """The entry of this name and kind, which must exist."""
    if kind in MEMBERS:
        return of_members.describe(kind, name)
    return of_metrics.describe(name) if kind == "metrics" else of_datasets.describe(name)


def entries(kind: str) -> list[Entry]:
    """All entries of one kind, sorted by name. Raises a UserError like ``names``."""
    return [entry(kind, name) for name in names(kind)]


def find(name: str) -> list[Entry]:
    """The entries of this name, at most one of each kind; empty where no file has it."""
    return [entry(kind, name) for kind in KINDS if name in names(kind)]


def _package(kind: str) -> str:
    return {"metrics": "metrics", "datasets": "pipeline.data.datasets"}.get(kind, f"vaecore.{kind}")

"""Entries of a model's parts: the members that the folders of vaecore hold."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from pipeline.study.catalogue.entry import (
    Entry,
    OptionRow,
    citations,
    file_of,
    flow,
    nested,
    title_and_text,
    written,
)
from vaecore.options import Option

__all__ = ["SETTINGS", "describe"]

SETTINGS = {
    "networks": "network",
    "initializations": "initialization",
    "likelihoods": "likelihood",
    "corruptions": "corruption",
}
"""Kinds that a setting of ``model`` names."""
EXAMPLES = {"beta": 4, "capacity": 10, "gamma": 10, "sigma": 0.1, "steps": 10_000, "period": 10_000}
EXAMPLES |= {"value": 0.001, "from": 0.001, "to": 0}  # of a learning rate
"""Option -> the value that an example shows. Other options show their default, or the first of ``PLAIN`` that
they allow."""
PLAIN = (1, 0.5, 0, 10)


def describe(kind: str, name: str) -> Entry:
    """The entry of the member ``name`` of the folder ``kind``."""
    package = importlib.import_module(f"vaecore.{kind}")
    cls = getattr(package, kind.upper()).cls(name)
    options: Mapping[str, Option] = cls.options
    facts_of = {
        "families": _of_family,
        "networks": _of_network,
        "initializations": _of_initialization,
        "likelihoods": _of_likelihood,
        "posteriors": _of_posterior,
        "priors": _of_prior,
    }.get(kind)
    title, text = title_and_text(importlib.import_module(cls.__module__))
    return Entry(
        kind=kind,
        name=name,
        title=title,
        file=file_of(cls.__module__),
        text=text,
        options=tuple(_row(option, each) for option, each in options.items()),
        papers=citations(text),
        facts=() if facts_of is None else tuple(facts_of(name, cls)),
        example=_example(kind, name, cls),
    )


def _row(name: str, option: Option) -> OptionRow:
    return OptionRow(
        name=name,
        meaning=option.meaning,
        default="" if option.default is None else written(option.default),
        allowed=option.allowed(),
        symbol=option.symbol,
        unit=option.unit,
        scheduled=option.scheduled,
    )


def _of_family(name: str, cls: Any) -> list[tuple[str, str]]:
    facts = [
        (what, ", ".join(filter(None, (f"{option} ({declared.symbol or option})", declared.unit))))
        for what, option in (("strength", cls.strength), ("target of the rate", cls.target))
        if option is not None and (declared := cls.options[option])
    ]
    return [
        *facts,
        ("posterior", cls.posterior),
        ("prior", cls.prior or "none"),
        ("needs", _needs(cls)),
        ("code of an image", "one point" if cls.deterministic else "a distribution"),
        ("mean and standard deviation of a code", _yes(cls.has_moments)),
        ("samples from its prior", _yes(cls.has_prior)),
        ("density over images", _yes(cls.has_density)),
        *([("reference", "the other families are compared with it")] if cls.reference else []),
    ]


def _needs(cls: Any) -> str:
    """The arrays that a family needs besides images; one clause for each word that changes them."""
    values = {option: _value(option, each) for option, each in cls.options.items()}
    default = cls.needs(values)
    clauses = [", ".join(sorted(default)) or "images alone"]
    for option, declared in cls.options.items():
        for word in declared.words:
            needs = cls.needs({**values, option: word})
            if needs != default:
                clauses.append(f"{', '.join(sorted(needs))} with {option}: {word}")
    return "; ".join(clauses)


def _of_network(name: str, cls: Any) -> list[tuple[str, str]]:
    return [("default initialization", cls.initialization)]


def _of_initialization(name: str, cls: Any) -> list[tuple[str, str]]:
    from vaecore.networks import NETWORKS

    networks = [each for each in NETWORKS.names() if NETWORKS.cls(each).initialization == name]
    return [("default of", ", ".join(networks) or "no network")]


def _of_likelihood(name: str, cls: Any) -> list[tuple[str, str]]:
    return [("p(x | z)", "a probability" if cls.bin_width == 1 else "a density on [0, 1]")]


def _of_posterior(name: str, cls: Any) -> list[tuple[str, str]]:
    return [("encoder outputs per latent", f"{cls.outputs_per_latent}"), _families_with("posterior", name)]


def _of_prior(name: str, cls: Any) -> list[tuple[str, str]]:
    return [_families_with("prior", name)]


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"


def _families_with(part: str, name: str) -> tuple[str, str]:
    from vaecore.families import FAMILIES

    having = [family for family in FAMILIES.names() if getattr(FAMILIES.cls(family), part) == name]
    return "families", ", ".join(having) or "none"


def _example(kind: str, name: str, cls: Any) -> str:
    values = {option: _value(option, each) for option, each in cls.options.items()}
    if kind == "families":
        values = {option: value for option, value in values.items() if cls.options[option].default is None}
        if cls.strength is not None:
            value = _value(cls.strength, cls.options[cls.strength])
            values[cls.strength] = [value, 2 * value]
        return nested("families", f"{name}: {flow(values)}")
    if kind == "schedules":
        return nested("training", f"learning_rate: {flow({'schedule': name, **values})}")
    if kind in SETTINGS:
        return nested("model", f"{SETTINGS[kind]}: {flow({'name': name, **values}) if values else name}")
    return ""


def _value(name: str, option: Option) -> Any:
    """A value for an example."""
    if name in EXAMPLES:
        return EXAMPLES[name]
    if option.default is not None:
        return option.default
    return next(value for value in (*PLAIN, *option.words, [1]) if _allows(option, value))


def _allows(option: Option, value: Any) -> bool:
    try:
        option.check("value", value)
    except ValueError:
        return False
    return True

"""Entries of data sets. Their modules are imported by name: the room of data lies above this one."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from pipeline.study.catalogue.entry import Entry, OptionRow, file_of, flow, nested, title_and_text, written

__all__ = ["describe"]

LISTED = 24
"""The largest number of factors of one size whose size is written behind each of them."""


def describe(name: str) -> Entry:
    """The entry of a data set."""
    module = importlib.import_module(f"pipeline.data.datasets.{name}")
    about, model = module.ABOUT, module.Options
    schema = model.model_json_schema()["properties"]
    rows = []
    for key, field in model.model_fields.items():
        default = "" if field.is_required() else written(field.get_default(call_default_factory=True))
        rows.append(OptionRow(key, _description(model, key), default, _allowed(schema[key])))
    required = {key: f"path/to/{name}" for key, field in model.model_fields.items() if field.is_required()}
    _, text = title_and_text(module)
    facts = [
        ("what", about.what),
        ("factors", _factors(about.factors)),
        ("classes", ", ".join(about.labels)),
        ("attributes", ", ".join(about.attributes)),
        ("source", about.source),
        ("licence", about.licence),
    ]
    return Entry(
        kind="datasets",
        name=name,
        title=about.title,
        file=file_of(module.__name__),
        text=text,
        options=tuple(rows),
        papers=(about.citation,),
        facts=tuple((what, value) for what, value in facts if value),
        example=nested("datasets", f"{name}: {flow(required)}"),
    )


def _factors(sizes: Mapping[str, int]) -> str:
    if len(sizes) > LISTED and len(set(sizes.values())) == 1:
        return f"{len(sizes)} of {min(sizes.values())} values each: {', '.join(sizes)}"
    return ", ".join(f"{factor} ({size})" for factor, size in sizes.items())


def _description(model: Any, key: str) -> str:
    """The docstring of a field, inherited where a class only changes the default."""
    fields = (getattr(cls, "model_fields", {}).get(key) for cls in model.__mro__)
    found = next((field.description for field in fields if field is not None and field.description), "")
    return " ".join(found.split())


WORDS = {
    "integer": ("a whole number", "whole numbers"),
    "number": ("a number", "numbers"),
    "string": ("text", "texts"),
    "boolean": ("true or false", "true or false"),
    "null": ("null", "null"),
}


def _allowed(schema: Mapping[str, Any], plural: bool = False) -> str:
    """A JSON schema in words."""
    if "anyOf" in schema:
        return " or ".join(_allowed(each, plural) for each in schema["anyOf"])
    if "enum" in schema:
        return f"one of {', '.join(map(written, schema['enum']))}"
    if "const" in schema:
        return written(schema["const"])
    if schema["type"] == "array":
        return f"{'lists' if plural else 'a list'} of {_allowed(schema['items'], True)}"
    if schema["type"] == "object":
        inner = _allowed(schema["additionalProperties"], True)
        return f"{'mappings' if plural else 'a mapping'} of names to {inner}"
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {schema[key]:g}" for key, sign in signs.items() if key in schema]
    if "multipleOf" in schema:
        bounds.append(f"a multiple of {schema['multipleOf']:g}")
    return " ".join([WORDS[schema["type"]][plural], " and ".join(bounds)]).strip()

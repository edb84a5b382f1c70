"""Which arrays and which settings a metric has, read from the signature of its function.

A parameter that is named after an array of `metrics.vocabulary` is that array. Every other parameter is a
setting: keyword-only, with a default. A single value of the vocabulary that stands after the `*`
(`bin_width`) is both.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass

import metrics
from metrics.vocabulary import ARRAYS

__all__ = ["Parameters", "file_of", "parameters"]


@dataclass(frozen=True)
class Parameters:
    """Those of one metric, in the order of its function."""

    arrays: tuple[str, ...]
    settings: Mapping[str, inspect.Parameter]
    """Name -> default and annotation."""


def parameters(name: str) -> Parameters:
    """The parameters of the metric called `name`.

    Raises ValueError on an unknown name, and on a parameter that is neither an array of the vocabulary nor
    keyword-only.
    """
    arrays: list[str] = []
    settings: dict[str, inspect.Parameter] = {}
    for parameter in inspect.signature(metrics.function(name)).parameters.values():
        array = ARRAYS.get(parameter.name)
        keyword_only = parameter.kind is parameter.KEYWORD_ONLY
        if array is not None:
            arrays.append(array.name)
        elif not keyword_only:
            raise ValueError(
                f"{file_of(name)}: parameter {parameter.name!r} is not an array. The arrays are: "
                f"{', '.join(sorted(ARRAYS))}. Put a setting after the `*`, with a default."
            )
        if keyword_only and (array is None or not array.shape):
            settings[parameter.name] = parameter
    return Parameters(tuple(arrays), settings)


def file_of(name: str) -> str:
    """The file of the metric called `name`, for messages."""
    return f"{metrics.function(name).__module__.replace('.', '/')}.py"

"""Numbers that compare trained models, as functions of arrays: no model, no data set, no file.

    metrics/<what it judges>/<name>.py      one public function with the file's name

The file's name is the metric's name everywhere. The function gets arrays and returns dict[str, float]. Its
parameters before the `*` are arrays (or facts about them), which are passed by name; `metrics.vocabulary` is
their table. Those after the `*` are settings with the field's defaults, and `test`, the one array that may be
missing. The first key of the answer is the main value: `<name>`, or `<name>_<part>` where a metric has
several equal parts. All other keys start with the file's name too.

Each module states what it measures, for reports and documentation:

    TITLE: str                       one line
    MAIN: str                        the key of the main value; only where it is not the name
    PARTS: tuple[str, ...]           keys of further values of the same direction, worth a row each; optional
    UNIT: str                        of the main value; "" for a pure number
    HIGHER_IS_BETTER: bool | None    of the main value; None: neither end is better by itself
    RANGE: tuple[float, float]       of the main value, ±inf where it has no bound
    NUMBERS: bool                    whether its factors may be real numbers; only where they may
    STANDARD_NORMAL: bool            whether it presumes the prior N(0, I); only where it does
    BLIND_TO: str                    what it does not see, in a sentence or two
    COST: str                        how its time grows, in N images, L latents, K factors
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

__all__ = ["Description", "describe", "function", "names"]


@dataclass(frozen=True)
class Description:
    """The facts about a metric that its module states."""

    name: str
    folder: str
    """What the metric judges: "disentanglement", "rate", "reconstruction", "representation", "samples"."""
    title: str
    main: str
    """The key of the main value among those that the function returns; what follows is about that value."""
    parts: tuple[str, ...]
    """Keys of further values with the same direction."""
    unit: str
    higher_is_better: bool | None
    range: tuple[float, float]
    numbers: bool
    """Whether its factors may be real numbers, such as continuous attributes."""
    standard_normal: bool
    """Whether it presumes that the prior of the codes is N(0, I)."""
    blind_to: str
    cost: str
    text: str
    """The module's docstring: definition, symbols, source."""


def names() -> dict[str, str]:
    """Every metric and the folder that it is in, found by walking the folders."""
    found: dict[str, str] = {}
    for folder in sorted(entry.name for entry in pkgutil.iter_modules(__path__) if entry.ispkg):
        package = importlib.import_module(f"{__name__}.{folder}")
        for name in sorted(entry.name for entry in pkgutil.iter_modules(package.__path__)):
            assert name not in found, f"two metrics are called {name}: in {found[name]} and in {folder}"
            found[name] = folder
    return found


def function(name: str) -> Callable[..., dict[str, float]]:
    """The metric called `name`. Raises ValueError, listing what exists, on a name that none has."""
    found: Callable[..., dict[str, float]] = getattr(_module(name), name)
    return found


def describe(name: str) -> Description:
    """The description of the metric called `name`. Raises ValueError like `function`."""
    module = _module(name)
    return Description(
        name=name,
        folder=names()[name],
        title=module.TITLE,
        main=getattr(module, "MAIN", name),
        parts=getattr(module, "PARTS", ()),
        unit=module.UNIT,
        higher_is_better=module.HIGHER_IS_BETTER,
        range=module.RANGE,
        numbers=getattr(module, "NUMBERS", False),
        standard_normal=getattr(module, "STANDARD_NORMAL", False),
        blind_to=module.BLIND_TO,
        cost=module.COST,
        text=module.__doc__ or "",
    )


def _module(name: str) -> ModuleType:
    folders = names()
    if name not in folders:
        raise ValueError(f"unknown metric {name!r}; there are: {', '.join(folders)}")
    return importlib.import_module(f"{__name__}.{folders[name]}.{name}")

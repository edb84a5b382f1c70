"""The grid of a family: every combination of the values that params.yaml lists for its hyper-parameters."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from pipeline.errors import UserError
from pipeline.store.layout import PARAMS_FILE
from pipeline.study.folders import members

__all__ = ["hyper_points"]


def hyper_points(family: str, grid: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The points of one family's grid, in the order of params.yaml; values are checked, defaults filled in.

    Raises:
        UserError: an unknown or missing hyper-parameter, an empty list, or a value that is not allowed.
    """
    from vaecore import families

    known = members("vaecore.families")
    if family not in known:
        raise UserError(
            f"{PARAMS_FILE}: families: there is no {family!r}. Known: {', '.join(known)} "
            "(one file each in vaecore/families/)."
        )
    declared = families.family_class(family).options
    for name in grid:
        if name not in declared:
            has = ", ".join(declared) or "none"
            where = f"{PARAMS_FILE}: families.{family}"
            raise UserError(f"{where}: unknown hyper-parameter {name!r}. It has: {has}.")
    axes: list[list[Any]] = []
    for name, option in declared.items():
        where = f"{PARAMS_FILE}: families.{family}.{name}"
        if name not in grid:
            if option.default is None:
                raise UserError(f"{where}: needs a value ({option.meaning}); a list makes a grid.")
            axes.append([option.canonical(option.default)])
            continue
        values = grid[name] if isinstance(grid[name], list) else [grid[name]]
        if not values:
            raise UserError(f"{where}: the grid is empty; list at least one value, or leave the family out.")
        for value in values:
            try:
                option.check(name, value)
            except (TypeError, ValueError) as error:
                raise UserError(f"{where}: {error}") from None
        listed = [option.canonical(value) for value in values]
        for position, value in enumerate(listed):
            if value in listed[:position]:
                raise UserError(f"{where}: {value!r} is listed twice.")
        axes.append(listed)
    return [dict(zip(declared, point, strict=True)) for point in product(*axes)]

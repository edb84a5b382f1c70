"""Validate settings with pydantic, and report its errors as user errors: one line per mistake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import UserError
from pipeline.store.layout import PARAMS_FILE

__all__ = ["Strict", "explain", "validate"]


class Strict(BaseModel):
    """Frozen settings; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def validate(model: type[BaseModel], values: Mapping[str, Any], where: str) -> Any:
    """An object of ``model`` from the values at the key ``where`` of params.yaml; "" is the whole file.

    Raises:
        UserError: the message names each wrong key, the value and what is allowed.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UserError(explain(error, where, model)) from None


def explain(error: ValidationError, where: str, model: type[BaseModel] | None = None) -> str:
    """One line per mistake: the key, what is wrong, and the value."""
    lines = []
    for mistake in error.errors():
        location = ".".join(str(part) for part in ([where] if where else []) + list(mistake["loc"]))
        message = mistake["msg"].removeprefix("Value error, ")
        if mistake["type"] == "extra_forbidden":
            known = ""
            if model is not None and len(mistake["loc"]) == 1:
                known = f" Known here: {', '.join(model.model_fields)}."
            lines.append(f"{PARAMS_FILE}: {location}: unknown key.{known}")
        elif mistake["type"] == "missing":
            lines.append(f"{PARAMS_FILE}: {location}: is missing, and has no default.")
        else:
            lines.append(f"{PARAMS_FILE}: {location or 'the file'}: {message}, got {mistake['input']!r}.")
    return "\n".join(lines)

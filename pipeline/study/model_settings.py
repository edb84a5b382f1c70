"""``model`` in params.yaml: network, initialization, latents, likelihood and corruption of every model."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from pipeline.study.validation import Strict

if TYPE_CHECKING:
    from vaecore.members import Folder

__all__ = ["Model", "check_values", "with_data_noise"]

Named = str | dict[str, Any]
Latents = Annotated[int, Field(ge=1, le=4096)]


class Model(Strict):
    """The parts of a model that every family has. Each setting is a value, or a list of values, a grid."""

    network: Named | list[Named] = "conv"
    """A file in vaecore/networks/: conv, burgess, or {name: mlp, hidden: [256, 256]}."""
    initialization: Named | list[Named] | None = None
    """How weights are initialised, a file in vaecore/initializations/; null is the network's own."""
    latents: Latents | list[Latents] = 10
    """Number of latent variables, L."""
    likelihood: Named | list[Named] = "bernoulli"
    """A file in vaecore/likelihoods/: bernoulli, or {name: gaussian, sigma: 0.1 | learned | data}.

    data is the noise of the data set's images, if it is known."""
    corruption: Named | list[Named] = "none"
    """A change to images before the encoder, in training: a file in vaecore/corruptions/: none, or
    {name: noise, sigma: 0.3}."""

    @property
    def varied(self) -> list[str]:
        """The settings that have several values."""
        return [name for name in Model.model_fields if len(self.values(name)) > 1]

    def values(self, name: str) -> list[Any]:
        """The values of one setting."""
        value = getattr(self, name)
        return value if isinstance(value, list) else [value]

    def points(self) -> list[dict[str, Any]]:
        """Every combination of values."""
        fields = list(Model.model_fields)
        return [dict(zip(fields, point, strict=True)) for point in product(*map(self.values, fields))]

    @field_validator("*")
    @classmethod
    def _not_empty(cls, value: Any, info: ValidationInfo) -> Any:
        if value == []:
            raise ValueError(f"the grid is empty; name at least one {info.field_name}")
        return value


def check_values(values: list[Any], folder: Folder[Any] | None) -> None:
    """Check the values of one setting of the model; ``folder`` holds the members that they name.

    Raises:
        ValueError: a value is not allowed, or two values are the same, such as ``mlp`` and ``{name: mlp}``.
    """
    forms: list[Any] = []
    for value in values:
        form = value
        if folder is not None and value is not None:
            known = with_data_noise(value, 1.0)  # any σ: the noise of the data is not read yet
            form = (folder.canonical(known), known is value)
        if form in forms:
            raise ValueError(f"list each value once, got {values!r}")
        forms.append(form)


def with_data_noise(likelihood: Any, noise_sigma: float | None) -> Any:
    """A likelihood with the noise of the data set's images in place of ``sigma: data``.

    Raises:
        ValueError: the noise is not known.
    """
    if not isinstance(likelihood, Mapping) or likelihood.get("sigma") != "data":
        return likelihood
    if noise_sigma is None:
        raise ValueError(
            "'sigma: data' is the noise of the data set's images, which is not known; use a number or learned"
        )
    return {**likelihood, "sigma": noise_sigma}

"""Model families: one file each, one final class each; the file's name is the family's name everywhere.

A family turns a batch into per-sample terms. It never reduces over the batch, logs, counts steps or owns an optimizer:

    terms(x, hyper, noise) -> {"loss": [B], "distortion": [B], "rate": [B], "rate_per_latent": [B, L], every sub-term [B] or []}

    x       float32 [B, C, H, W] in [0, 1]
    hyper   the values of the scheduled hyper-parameters at this step, as [] tensors: a captured step can be replayed while they change
    noise   what ``noise(B)`` asked for, drawn by the caller

A family of two players writes both objectives into the one loss, each behind stop-gradients for the other's parameters, and keeps
their parameters in separate groups: one backward pass and one optimizer step train both.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from vaecore.autoencoder import Autoencoder
from vaecore.hyperparameters import Hyperparameter, check_all
from vaecore.posteriors import DiagonalGaussian, Posterior

__all__ = ["Family", "build", "family_class", "names"]

Noise = dict[str, tuple[str, tuple[int, ...]]]


class Family(nn.Module, ABC):
    """The interface of every family, with what most of them share."""

    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = {}
    """By name; the first one is the family's strength. Those that are not ``scheduled`` go to the constructor by keyword."""
    posterior: ClassVar[type[Posterior]] = DiagonalGaussian

    def __init__(self, autoencoder: Autoencoder, dataset_size: int) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.dataset_size = dataset_size
        self.register_state_dict_post_hook(_contiguous)

    @abstractmethod
    def terms(self, x: Tensor, hyper: Mapping[str, Tensor], noise: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Per-sample terms of the objective; see the module's head."""

    def noise(self, batch_size: int) -> Noise:
        """What ``terms`` needs drawn: name -> ("normal" for N(0, 1) | "uniform" for [0, 1), shape)."""
        return (
            {"posterior": ("normal", (batch_size, self.autoencoder.latents))} if self.posterior.noise else {}
        )

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Disjoint and complete optimizer groups: "params", "name", and "lr" or "betas" where a player has its own."""
        return [{"name": "autoencoder", "params": list(self.autoencoder.parameters())}]


def _contiguous(module: nn.Module, state: dict[str, Any], prefix: str, metadata: dict[str, Any]) -> None:
    """Training may lay weights out channels last; what is saved is laid out in the order of its shape, as file formats want it."""
    for name, value in state.items():
        if isinstance(value, Tensor):
            state[name] = value.contiguous()


def names() -> list[str]:
    """The families that exist: the files of this folder."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def family_class(name: str) -> type[Family]:
    """The class of the family ``name``. Raises a ValueError that lists the families for an unknown name."""
    if name not in names():
        raise ValueError(f"unknown family {name!r}; the families are: {', '.join(names())}")
    module = importlib.import_module(f"{__name__}.{name}")
    (cls,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Family) and value.__module__ == module.__name__
    )
    return cls


def build(
    name: str,
    *,
    image_shape: tuple[int, int, int],
    latents: int,
    network: str | Mapping[str, Any],
    likelihood: str | Mapping[str, Any],
    dataset_size: int,
    hyper: Mapping[str, Any],
    seed: int | None = None,
) -> Family:
    """The family ``name``, ready to train.

    ``hyper`` holds the configuration's values: numbers, words, or schedule mappings; ``dataset_size`` is the number of images
    trained on. Weights depend on ``seed`` alone and PyTorch's global generator is left as it was; without a seed they are drawn from
    that generator. Raises ValueErrors that name what is wrong.
    """
    cls = family_class(name)
    values = check_all(f"family {name!r}", cls.hyperparameters, hyper)
    static = {key: value for key, value in values.items() if not cls.hyperparameters[key].scheduled}
    if dataset_size < 1:
        raise ValueError(f"'dataset_size' must be ≥ 1 image, got {dataset_size!r}")
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.random.default_generator.manual_seed(
                seed
            )  # torch.manual_seed would reseed every accelerator as well
        autoencoder = Autoencoder(
            image_shape=image_shape,
            latents=latents,
            network=network,
            likelihood=likelihood,
            posterior=cls.posterior,
        )
        return cls(autoencoder, dataset_size, **static)

"""Small models and trainings for checks of the engine: every family and a double, on a few noisy images.

Everything that can change during training does: scheduled options, the learning rate, the scale of the
likelihood and, in the double, a part without a gradient.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from vaecore.batch import Batch, Sampler
from vaecore.families import Family, build, family_class, names
from vaecore.images import Images
from vaecore.nuisances import Nuisance
from vaecore.options import Option
from vaecore.training import Settings, Training

__all__ = [
    "CLASSES",
    "EVERY",
    "FACTOR_SIZES",
    "PARTS",
    "SHAPE",
    "Averaging",
    "L",
    "N",
    "begin",
    "example",
    "known",
    "make",
    "sampler",
    "start",
]

N, L, SHAPE = 40, 3, (1, 8, 8)
CLASSES, FACTOR_SIZES = 4, (2, 3)
PARTS = {"critic_width": 10, "components": 5}
"""Option for the size of a part of a family -> a small size."""
MOVING = {"schedule": "linear", "from": 0, "to": 2, "steps": 9}
SMALL = {"name": "mlp", "hidden": [12]}
LEARNED = {"name": "gaussian", "sigma": "learned"}
DOUBLE = "averaging"
EVERY = [*names(), DOUBLE]
"""Every family, and the double."""


class Averaging(Family):
    """A double of a family: the running mean of its codes changes without a gradient, like a codebook."""

    options: ClassVar[Mapping[str, Option]] = {"pull": Option("towards the running mean", scheduled=True)}
    average: Tensor

    def __init__(self, autoencoder: Any, dataset_size: int, initialization: Any) -> None:
        super().__init__(autoencoder, dataset_size, initialization)
        self.register_buffer("average", torch.zeros(autoencoder.latents))

    def terms(
        self, batch: Batch, hyper: Mapping[str, Tensor], noise: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        _, z, terms = self.autoencoder(batch, noise)
        away = (z - self.average).square().sum(1)
        loss = terms["distortion"] + terms["rate"] + hyper["pull"] * away
        return {"loss": loss, **terms, "_codes": z.detach()}

    def update(self, terms: Mapping[str, Tensor]) -> None:
        self.average.lerp_(terms["_codes"].mean(0), 0.1)


def example(name: str, value: Any = 2.0) -> dict[str, Any]:
    """``value`` for every option that has no default, and parts of a small size."""
    declared = family_class(name).options
    values = {key: value for key, each in declared.items() if each.default is None}
    return values | {key: size for key, size in PARTS.items() if key in declared}


def make(
    name: str,
    *,
    seed: int | None = 0,
    shape: tuple[int, int, int] = SHAPE,
    network: Any = SMALL,
    likelihood: Any = "bernoulli",
    initialization: Any = None,
    corruption: Any = "none",
    dataset_size: int = N,
    **hyper: object,
) -> Family:
    """A model of one of ``EVERY``; ``hyper`` overrides options of ``example``."""
    if name == DOUBLE:
        options = {"network": network, "likelihood": likelihood, "corruption": corruption}
        twin = make("vae", seed=seed, shape=shape, initialization=initialization, **options)
        return Averaging(twin.autoencoder, dataset_size, None)
    return build(
        name,
        image_shape=shape,
        latents=L,
        network=network,
        likelihood=likelihood,
        initialization=initialization,
        corruption=corruption,
        dataset_size=dataset_size,
        classes=CLASSES,
        factor_sizes=FACTOR_SIZES,
        hyper=example(name) | hyper,
        seed=seed,
    )


def known(n: int) -> dict[str, Tensor]:
    """Labels [n] and factors [n, 2]."""
    rows = torch.arange(n)
    return {"labels": rows % CLASSES, "factors": torch.stack([rows % 2, rows // 2 % 3], dim=1)}


def sampler(size: int = 8, nuisance: str | None = None, rows: Tensor | None = None) -> Sampler:
    """N images of random bytes, with labels, factors and, if it is given, a nuisance."""
    pixels = torch.randint(0, 256, (N, 1, size, size), generator=torch.Generator().manual_seed(0))
    dressing = None
    if nuisance is not None:
        picture = torch.arange(3 * 20 * 20).reshape(3, 20, 20).to(torch.uint8)
        dressing = Nuisance(nuisance, (size, size), picture if nuisance == "background" else None)
    images = Images(pixels.to(torch.uint8), (1 if nuisance is None else 3, size, size), dressing)
    return Sampler(images, rows=rows, **known(N))


def start(
    name: str,
    *,
    data: Sampler | None = None,
    size: int = 8,
    nuisance: str | None = None,
    rows: Tensor | None = None,
    network: Any = SMALL,
    likelihood: Any = "bernoulli",
    initialization: Any = None,
    corruption: Any = "none",
    dataset_size: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    hyper: Mapping[str, Any] | None = None,
    **changed: Any,
) -> Training:
    """A training of 12 steps of one of ``EVERY``, with changing scheduled options and learning rate.

    ``changed`` overrides its settings.
    """
    data = data or sampler(size, nuisance, rows)
    declared = Averaging.options if name == DOUBLE else family_class(name).options
    chosen = dict(hyper or {key: MOVING for key, each in declared.items() if each.scheduled})
    if name != DOUBLE:
        chosen = example(name) | chosen
    family = make(
        name,
        seed=seed,
        shape=data.images.shape,
        network=network,
        likelihood=likelihood,
        initialization=initialization,
        corruption=corruption,
        dataset_size=dataset_size or len(data),
        **chosen,
    )
    settings: dict[str, Any] = {
        "steps": 12,
        "batch_size": 8,
        "learning_rate": {"schedule": "linear", "from": 0, "to": 1e-3, "steps": 9},
        "record_every": 5,
    }
    return Training(family, data, Settings(**(settings | changed)), chosen, seed=seed, device=device)


def begin(name: str, **changed: Any) -> Training:
    """``start`` with convolutions, a learned scale of the likelihood, and two rows of six steps each."""
    options: dict[str, Any] = {"network": "conv", "likelihood": LEARNED, "record_every": 6}
    return start(name, **(options | changed))

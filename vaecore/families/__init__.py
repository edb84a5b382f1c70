"""Model families: objectives, one file each.

A file has one final class, and the file's name is the family's name everywhere. A family turns a batch into
per-sample terms. It never reduces over the batch, logs, counts steps or owns an optimizer:

    terms(batch, hyper, noise) -> {"loss": [B], "distortion": [B], "rate": [B], "rate_per_group": [B, G],
                                   every sub-term [B], [B, G] or []}

    batch   images x float32 [B, C, H, W] in [0, 1], and labels or factors if the family needs them
    hyper   the scheduled options' values at this step, as [] tensors: they may change between replays of a
            captured step
    noise   random numbers of the shapes that ``noise(B)`` lists, drawn by the caller
    G       groups whose rates add up to the rate: the latents, if the prior treats them one by one

    update(terms)    after the step: changes what has no gradient (a controller's state, averages), kept in
                     buffers. Terms whose names begin with an underscore are for ``update`` alone; they may
                     have any shape, and they are not recorded

A trained family answers these calls, on clean images and in evaluation mode:

    encode(batch, noise)            codes [B, L]; distortion and rate [B] in nats, rate by groups [B, G]; mean
                                    and std [B, L] if it has them
    reconstruct(batch)              expected images [B, C, H, W]
    decode(codes, given)            expected images of codes
    sample(noise, given)            expected images of codes drawn from the prior
    log_weights(batch, noise, k)    log p(x, z) - log q(z | x) of k codes per image [k, B]

``distortion`` is the exact negative log-likelihood, and ``rate`` is measured against the family's own prior:
no other module computes either from mean and std. A family with two players writes both objectives into the
one loss, each behind stop-gradients for the other's parameters, and keeps their parameters in separate
groups: one backward pass and one optimizer step train both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from vaecore.autoencoder import Autoencoder
from vaecore.batch import Batch
from vaecore.conditions import OneHot
from vaecore.corruptions import CORRUPTIONS
from vaecore.initializations import INITIALIZATIONS, Initialization
from vaecore.likelihoods import LIKELIHOODS
from vaecore.members import Folder
from vaecore.networks import NETWORKS
from vaecore.noise import Shapes
from vaecore.options import Option, complete
from vaecore.posteriors import POSTERIORS
from vaecore.priors import PRIORS

__all__ = ["FAMILIES", "Encoding", "Family", "build", "family_class", "names", "reference"]


class Encoding(NamedTuple):
    """What a family computes for B images."""

    codes: Tensor
    """[B, L]: the representations of the images."""
    rate: Tensor
    """[B] nats, against the family's own prior; +inf for a deterministic code."""
    rate_per_group: Tensor
    """[B, G] nats; the groups add up to the rate."""
    distortion: Tensor | None = None
    """[B] nats of one sample; None if it was not requested."""
    mean: Tensor | None = None
    """[B, L]: mean of q(z | x), if it has one."""
    std: Tensor | None = None
    """[B, L]: standard deviation of q(z | x), if it has one; 0 for a deterministic code."""


class Family(nn.Module, ABC):
    """The interface of every family, with the methods that families with one autoencoder share."""

    options: ClassVar[Mapping[str, Option]] = {}
    """Hyper-parameters, the prior's included. The constructor gets those that are not ``scheduled``."""
    strength: ClassVar[str | None] = None
    """The option that a study of the family varies; figures show it along their axis."""
    target: ClassVar[str | None] = None
    """The option that sets the rate (nats) at which the objective holds the model; None if it holds none."""
    reference: ClassVar[bool] = False
    """Whether the other families are compared with it, and untrained models are of it. One family is."""
    posterior: ClassVar[str] = "diagonal_gaussian"
    prior: ClassVar[str | None] = "standard_normal"
    deterministic: ClassVar[bool] = False
    """Whether an image has one code, not a distribution over codes."""
    has_prior: ClassVar[bool] = True
    """Whether it can ``sample``."""
    has_density: ClassVar[bool] = True
    """Whether it is a density over images, so that it has ``log_weights``."""
    has_moments: ClassVar[bool] = True
    """Whether an encoding has mean and std."""
    conditioned: ClassVar[bool] = False
    """Whether encoder and decoder receive the labels or factors that it needs."""

    def __init__(self, autoencoder: Autoencoder, dataset_size: int, initialization: Initialization) -> None:
        """``initialization`` fills the family's own networks, such as a critic."""
        super().__init__()
        self.autoencoder = autoencoder
        self.dataset_size = dataset_size
        self.register_state_dict_post_hook(_contiguous)

    @classmethod
    def needs(cls, hyper: Mapping[str, Any]) -> frozenset[str]:
        """The arrays that it needs beside images, with these options: of "labels" and "factors"."""
        return frozenset()

    @abstractmethod
    def terms(
        self, batch: Batch, hyper: Mapping[str, Tensor], noise: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Per-sample terms of the objective; see the module's docstring."""

    def update(self, terms: Mapping[str, Tensor]) -> None:
        """Change what has no gradient, in place, by the ``terms`` of the step that was just done."""

    def noise(self, batch_size: int) -> Shapes:
        """Shapes of the noise that ``terms`` needs."""
        images = (batch_size, *self.autoencoder.image_shape)
        return {**self.code_noise(batch_size), **self.autoencoder.corruption.noise(images)}

    def code_noise(self, batch_size: int) -> Shapes:
        """Shapes of the noise that ``encode`` needs; ``log_weights`` needs k times as many rows."""
        return self.autoencoder.noise(batch_size)

    def sample_noise(self, n: int) -> Shapes:
        """Shapes of the noise that ``sample`` needs for n images."""
        assert self.autoencoder.prior is not None, "a family without a prior has nothing to sample from"
        return self.autoencoder.prior.noise(n)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Disjoint, complete optimizer groups: "params" and "name"; "lr" or "betas" of a player's own."""
        return [{"name": "autoencoder", "params": list(self.autoencoder.parameters())}]

    # --- evaluation ---------------------------------------------------------------------------------------

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)"""
        return self.autoencoder.image_shape

    @property
    def latents(self) -> int:
        """Entries L of a code."""
        return self.autoencoder.latents

    @property
    def bin_width(self) -> float:
        """The likelihood's ``bin_width``."""
        return self.autoencoder.likelihood.bin_width

    def encode(self, batch: Batch, noise: Mapping[str, Tensor], *, distortion: bool = True) -> Encoding:
        """The encoding of clean images; without ``distortion`` nothing is decoded."""
        model = self.autoencoder
        known = model.known(batch)
        posterior = model.posterior_of(batch.x, known)
        z = posterior.sample(noise)
        rate = model.rate(posterior, z)
        D = model.distortion(batch.x, z, known) if distortion else None
        return Encoding(posterior.mean, rate.sum(1), rate, D, posterior.mean, posterior.std)

    def reconstruct(self, batch: Batch) -> Tensor:
        """The expected images [B, C, H, W] of the codes of ``batch``."""
        known = self.autoencoder.known(batch)
        return self.autoencoder.decode(self.autoencoder.posterior_of(batch.x, known).mean, known)

    def decode(self, codes: Tensor, given: Batch | None = None) -> Tensor:
        """The expected images [B, C, H, W] of codes [B, L]; ``given``: labels or factors that it needs."""
        return self.autoencoder.decode(codes, self.autoencoder.known(given))

    def sample(self, noise: Mapping[str, Tensor], given: Batch | None = None) -> Tensor:
        """Expected images [n, C, H, W] of codes drawn from the prior; ``given`` as for ``decode``."""
        assert self.autoencoder.prior is not None, "a family without a prior has nothing to sample from"
        return self.decode(self.autoencoder.prior.sample(noise), given)

    def log_weights(self, batch: Batch, noise: Mapping[str, Tensor], k: int) -> Tensor:
        """log p(x, z) - log q(z | x) [k, B] in nats, z ~ q(z | x): the log-mean-exp bounds log p(x) below.

        ``noise`` has the shapes of ``code_noise(k B)``. Y. Burda, R. Grosse, R. Salakhutdinov, Importance
        Weighted Autoencoders, 2016, arXiv:1509.00519.
        """
        model = self.autoencoder
        assert self.has_density, "a family without a density has no weights"
        assert model.prior is not None
        B = len(batch.x)
        posterior = model.posterior_of(batch.x, model.known(batch))
        z = posterior.sample({name: each.unflatten(0, (k, B)) for name, each in noise.items()})  # [k, B, L]
        many = batch.repeated(k)
        D = model.distortion(many.x, z.flatten(0, 1), model.known(many)).view(k, B)
        return model.prior.log_prob(z) - D - posterior.log_prob(z)


def _contiguous(module: nn.Module, state: dict[str, Any], prefix: str, metadata: dict[str, Any]) -> None:
    """Saved weights are contiguous, as file formats require. Training may lay them out channels last."""
    for name, value in state.items():
        if isinstance(value, Tensor):
            state[name] = value.contiguous()


FAMILIES = Folder(__name__, Family, "family", "families")
names = FAMILIES.names
family_class = FAMILIES.cls


def reference() -> str:
    """The family that the others are compared with."""
    (name,) = (name for name in names() if family_class(name).reference)
    return name


def build(
    name: str,
    *,
    image_shape: tuple[int, int, int],
    latents: int,
    network: str | Mapping[str, Any],
    likelihood: str | Mapping[str, Any],
    dataset_size: int,
    hyper: Mapping[str, Any],
    initialization: str | Mapping[str, Any] | None = None,
    corruption: str | Mapping[str, Any] = "none",
    classes: int | None = None,
    factor_sizes: Sequence[int] | None = None,
    seed: int | None = None,
) -> Family:
    """The family ``name``, ready to train.

    Args:
        hyper: the configuration's values of the family's options: numbers, words, or schedule mappings.
        initialization: None is the network's own.
        dataset_size: the number of images that the family is trained on.
        classes: the number of values of their label.
        factor_sizes: the number of values of each factor.
        seed: determines the weights, and PyTorch's global generator stays as it was; None draws the weights
            from that generator.

    Raises:
        ValueError: names the wrong setting, its value and what is allowed.
    """
    cls = family_class(name)
    values = complete(f"family {name!r}", cls.options, hyper)
    static = {key: value for key, value in values.items() if not cls.options[key].scheduled}
    if dataset_size < 1:
        raise ValueError(f"'dataset_size' must be ≥ 1 image, got {dataset_size!r}")
    sizes = {"labels": None if classes is None else [classes], "factors": factor_sizes}
    needs = cls.needs(values)
    for need in sorted(needs):
        if sizes[need] is None:
            raise ValueError(
                f"family {name!r} needs {need}, and the data set has none: "
                "leave the family out, or take other data"
            )
    chosen = NETWORKS.read(network)
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            # torch.manual_seed would reseed every accelerator as well
            torch.random.default_generator.manual_seed(seed)
        start = INITIALIZATIONS.make(initialization or chosen.cls.initialization)
        condition = None
        if cls.conditioned:
            (need,) = needs
            condition = OneHot(need, sizes[need] or ())
        autoencoder = Autoencoder(
            image_shape=image_shape,
            latents=latents,
            network=NETWORKS.make(network),
            initialization=start,
            likelihood=LIKELIHOODS.make(likelihood),
            posterior=POSTERIORS.cls(cls.posterior),
            corruption=CORRUPTIONS.make(corruption),
            condition=condition,
        )
        if cls.prior is not None:
            prior = PRIORS.cls(cls.prior)
            autoencoder.prior = prior(autoencoder, **{key: static.pop(key) for key in prior.options})
        return cls(autoencoder, dataset_size, start, **static)

"""Published numbers of disentangling-vae on dSprites, and its training settings.

Y. Dubois, A. Kastanos, D. Lines, B. Melman, 2019, MIT licence, commit f045219. The numbers are from its
training logs ``results/*_dsprites``: for each epoch of 11,520 batches of 64, the mean distortion and rate in
nats of every 50th batch, one seed each. They include the first batch, so the loss of the untrained model adds
some 12 nats to the mean of the first epoch. Settings:

    network ``burgess``, Kaiming uniform weights with PyTorch's biases, 10 latents, Bernoulli pixels, Adam, 30
    epochs
    vae             D + β R,          β from 0 to 1 over 10,000 steps,                learning rate 5e-4
    beta_vae        D + β R,          β from 0 to 4 over 10,000 steps,                5e-4
    annealed_vae    D + γ |R - C|,    γ = 100, C from 0 to 25 over 100,000 steps,     1e-3

Its β-TCVAE and FactorVAE are not used: the first trains with wrong stratified weights (1/N is off the
diagonal, and the log-weight is added once per latent), the second clamps the total correlation at 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from vaecore import families
from vaecore.batch import Sampler

__all__ = [
    "BATCH_SIZE",
    "EPOCH",
    "FEW",
    "LATENTS",
    "LIKELIHOOD",
    "LOGGED",
    "SPREAD",
    "Logged",
    "Verdict",
    "build",
    "compare",
]

EPOCH = 11_520
"""Steps of an epoch."""
BATCH_SIZE = 64
LATENTS = 10
LIKELIHOOD = "bernoulli"
TERMS = ("distortion", "rate")


@dataclass(frozen=True)
class Logged:
    """One of its trainings, with our names of families and hyper-parameters."""

    family: str
    hyper: Mapping[str, Any]
    learning_rate: float
    epochs: Mapping[int, tuple[float, float]]
    """Epoch, counted from 0 -> distortion and rate, nats."""


def _rising(to: float, steps: int) -> dict[str, Any]:
    return {"schedule": "linear", "from": 0, "to": to, "steps": steps}


LOGGED = {
    "vae": Logged(
        "beta_vae",
        {"beta": _rising(1, 10_000)},
        5e-4,
        {
            0: (71.01, 33.67),
            1: (38.56, 26.64),
            2: (34.52, 26.45),
            3: (31.72, 26.42),
            4: (29.43, 26.51),
            9: (22.73, 26.65),
            29: (17.99, 25.40),
        },
    ),
    "beta_vae": Logged(
        "beta_vae",
        {"beta": _rising(4, 10_000)},
        5e-4,
        {
            0: (87.90, 20.71),
            1: (64.42, 15.04),
            2: (60.06, 14.90),
            3: (57.53, 14.80),
            4: (55.58, 14.75),
            9: (47.40, 14.96),
            29: (35.61, 15.35),
        },
    ),
    "annealed_vae": Logged(
        "annealed_vae",
        {"gamma": 100, "capacity": _rising(25, 100_000)},
        1e-3,
        {
            0: (338.96, 1.82),
            1: (180.13, 4.36),
            2: (117.16, 7.20),
            3: (102.39, 10.08),
            4: (98.95, 12.96),
            9: (97.44, 25.00),
            29: (81.06, 25.00),
        },
    ),
}

JUDGED = (1, 29)
"""The epochs that are compared: the second and the last. The first epoch's mean includes the untrained model.
In between, one seed may be an epoch ahead of another."""
SPREAD = 0.015
"""Assumed standard deviation over seeds, as a share of the value, if fewer than ``FEW`` seeds were run. In
the second epoch a seed of ours and theirs differ by 0.0 to 1.8 %, as two draws do whose standard deviation is
about 1 %; over 30 epochs they may drift further apart."""
LOGGING = 0.005
"""Standard error of their figure, as a share: a mean over 230 of an epoch's 11,520 batches."""
FEW = 3
"""The number of seeds from which their own standard deviation is used."""


@dataclass(frozen=True)
class Verdict:
    """One of their figures beside ours, in nats."""

    name: str
    epoch: int
    term: str
    ours: float
    """Mean over the seeds."""
    spread: float | None
    """Standard deviation over the seeds; None with fewer than ``FEW`` seeds."""
    theirs: float
    allowed: float
    """The largest difference that seeds explain: 3 s √(1 + 1/n), for the mean of n seeds and one other."""

    @property
    def agrees(self) -> bool:
        return abs(self.ours - self.theirs) <= self.allowed


def build(name: str, data: Sampler, seed: int, *, network: str, initialization: str) -> families.Family:
    """The family of ``LOGGED[name]`` with our ``network`` and ``initialization``."""
    logged = LOGGED[name]
    return families.build(
        logged.family,
        image_shape=data.images.shape,
        latents=LATENTS,
        network=network,
        initialization=initialization,
        likelihood=LIKELIHOOD,
        dataset_size=len(data),
        hyper=logged.hyper,
        seed=seed,
    )


def compare(name: str, seeds: Sequence[Sequence[tuple[float, float]]]) -> list[Verdict]:
    """Our figures beside those of ``LOGGED[name]``, for the judged epochs that all seeds have reached.

    ``seeds`` has the (distortion, rate) of the epochs of each seed.
    """
    verdicts = []
    for epoch in JUDGED:
        if not seeds or min(map(len, seeds)) <= epoch:
            continue
        for term, index in zip(TERMS, (0, 1), strict=True):
            ours, theirs = [epochs[epoch][index] for epochs in seeds], LOGGED[name].epochs[epoch][index]
            spread = stdev(ours) if len(ours) >= FEW else None
            s = max(LOGGING * theirs, SPREAD * theirs if spread is None else spread)
            allowed = 3 * s * math.sqrt(1 + 1 / len(ours))
            verdicts.append(Verdict(name, epoch, term, mean(ours), spread, theirs, allowed))
    return verdicts

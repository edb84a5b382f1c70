"""disentangling-vae (Y. Dubois, A. Kastanos, D. Lines, B. Melman, 2019, MIT licence, commit f045219): what it logged on dSprites.

Its training logs of ``results/*_dsprites``: for each epoch of 11,520 batches of 64 the mean distortion and rate, in nats, of one batch in
50, the first among them (the loss of the untrained model alone adds some 12 nats to the first epoch's mean). One seed each. How it trained:

    network ``burgess``, Kaiming uniform weights with PyTorch's biases, 10 latents, Bernoulli pixels, Adam, 30 epochs
    vae             D + β R,          β from 0 to 1 over 10,000 steps,                learning rate 5e-4
    beta_vae        D + β R,          β from 0 to 4 over 10,000 steps,                5e-4
    annealed_vae    D + γ |R - C|,    γ = 100, C from 0 to 25 over 100,000 steps,     1e-3

Its β-TCVAE and FactorVAE are no targets: the first trains with wrong stratified weights (1/N off the diagonal, the log-weight added once
per latent), the second clamps the total correlation at 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

__all__ = ["BATCH_SIZE", "EPOCH", "FEW", "LATENTS", "LOGGED", "SPREAD", "Logged", "Verdict", "compare"]

EPOCH = 11_520
"""Steps."""
BATCH_SIZE = 64
LATENTS = 10
TERMS = ("distortion", "rate")


@dataclass(frozen=True)
class Logged:
    """One of its trainings, in our terms."""

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
"""Epochs that the verdict is about: the second and the last. The first is logged with the untrained model, and between them a seed may be
an epoch ahead of another."""
SPREAD = 0.015
"""Standard deviation over seeds, as a share of the value, where too few were run to tell. In the second epoch a seed of ours and theirs
differ by 0.0 to 1.8 %, which two draws do whose standard deviation is about 1 %; over 30 epochs they may drift further apart."""
LOGGING = 0.005
"""Standard error of their figure, as a share: a mean over 230 of an epoch's 11,520 batches."""
FEW = 3
"""Seeds that tell their standard deviation."""


@dataclass(frozen=True)
class Verdict:
    """One figure beside ours, in nats."""

    name: str
    epoch: int
    term: str
    ours: float
    """Mean over the seeds."""
    spread: float | None
    """Standard deviation over the seeds, of 3 or more."""
    theirs: float
    allowed: float
    """The largest difference that seeds explain: 3 s √(1 + 1/n) for the mean of n seeds and one other."""

    @property
    def agrees(self) -> bool:
        return abs(self.ours - self.theirs) <= self.allowed


def compare(name: str, seeds: Sequence[Sequence[tuple[float, float]]]) -> list[Verdict]:
    """Of ``LOGGED[name]``, the judged epochs that all ``seeds`` (each its epochs' distortion and rate) have reached."""
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

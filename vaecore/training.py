"""The training loop: stochastic gradient steps with Adam on batches drawn from one data set.

    θ ← Adam(θ, ∇ 1/B Σ_b loss_b),   rows b drawn independently, uniformly, with replacement, as in the 12,600-model study
                                     (Locatello et al. 2019, arXiv:1811.12359)

``train`` is a generator of (step, row): the caller reports, saves, prunes or stops between rows. Updates are counted from 1, update t uses
the schedules' values at t, and a row holds every term averaged over the images of the updates since the row before.

The state saved at a row is complete (weights, optimizer, random generator, step), and a run resumed from it goes on bit for bit: the
same weights, the same rows, on the same kind of device. Weights come from the family's seed, and batches and noise from a generator
of the training's own, so that neither disturbs the other or the program's global generators.

The device is never waited for between rows: terms are summed on the device, scheduled values are written into tensors that stay, the
losses of an interval are kept to find the first one that was not finite.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vaecore.families import Family
from vaecore.hyperparameters import Hyperparameter, check_all
from vaecore.images import Images
from vaecore.memory import keep_freed_memory
from vaecore.precision import Precision, check_precision, resolve_precision
from vaecore.schedules import schedule

__all__ = ["Diverged", "Settings", "Training", "train"]

LEARNING_RATE = Hyperparameter("Adam's step size", low=0, scheduled=True)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How long and how fast to train. Raises a ValueError that names the setting, what was found and what is allowed."""

    steps: int
    """Updates in all; 0 leaves the model untrained."""
    batch_size: int
    """Images per update."""
    learning_rate: float | Mapping[str, Any]
    """Adam's, of every parameter group without its own: a number or a schedule."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Adam's decay rates of the first and second moment."""
    precision: Precision = "auto"
    """What networks compute in; see ``resolve_precision``."""
    record_every: int = 1000
    """Updates per row of the history."""

    def __post_init__(self) -> None:
        for name, low in {"steps": 0, "batch_size": 1, "record_every": 1}.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < low:
                raise ValueError(f"{name!r} must be a whole number ≥ {low}, got {value!r}")
        LEARNING_RATE.check("learning_rate", self.learning_rate)
        betas = tuple(self.betas)
        if len(betas) != 2 or not all(isinstance(beta, int | float) and 0 <= beta < 1 for beta in betas):
            raise ValueError(f"'betas' must be two numbers, each ≥ 0 and < 1, got {self.betas!r}")
        object.__setattr__(self, "betas", betas)
        check_precision(self.precision)


class Diverged(RuntimeError):  # noqa: N818 - what the status of such a trial is called
    """A loss was NaN or infinite. ``step`` is the first update, counted from 1, at which that happened."""

    def __init__(self, step: int) -> None:
        super().__init__(
            f"the loss was not finite at step {step}: lower the learning rate, or the objective's weights"
        )
        self.step = step

    def __reduce__(self) -> tuple[type[Diverged], tuple[int]]:
        return Diverged, (self.step,)  # made again from its step on the other side of a process boundary


class Training:
    """A run: the family, its data and the whole state that ``train`` advances."""

    def __init__(
        self,
        family: Family,
        images: Images,
        settings: Settings,
        hyper: Mapping[str, Any],
        *,
        index: Tensor | None = None,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        """``hyper`` as for ``families.build``; ``index`` (int64 [n]) restricts training to those rows of ``images``."""
        self.device = torch.device(device)
        self.settings = settings
        self.family = family.to(self.device)
        self.images = images.to(self.device)
        self.index = None if index is None else index.to(self.device)
        if (len(images) if index is None else len(index)) == 0:
            raise ValueError("there is no image to train on")
        self.precision = resolve_precision(settings.precision, self.device, family)
        if self.device.type == "cpu" or self.precision == "bfloat16":
            # convolutions gain from it on a CPU (1.7 times at 64×64) and in tensor cores
            self.family.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        complete = check_all(f"family {type(family).__name__}", family.hyperparameters, hyper)
        self.schedules = {
            name: schedule(value)
            for name, value in complete.items()
            if family.hyperparameters[name].scheduled
        }
        self.learning_rate = schedule(settings.learning_rate)
        self.optimizer = torch.optim.Adam(family.parameter_groups(), lr=1.0, betas=settings.betas, fused=True)
        # by position: loading a state puts new dictionaries in the place of the optimizer's groups
        self.on_schedule = [i for i, group in enumerate(family.parameter_groups()) if "lr" not in group]
        self.generator = torch.Generator(self.device)
        self.generator.manual_seed(_stream(seed))
        self.step = 0

    def hyper_at(self, step: int) -> dict[str, float]:
        """The scheduled hyper-parameters' values at update ``step``."""
        return {name: float(values(step)) for name, values in self.schedules.items()}

    def state_dict(self) -> dict[str, Any]:
        """Everything that the rest of the run depends on but the constructor's arguments. Complete at a row, not within one."""
        return {
            "step": self.step,
            "family": self.family.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state. Raises a ValueError if it is not one of this run's."""
        if missing := {"step", "family", "optimizer", "generator"} - set(state):
            raise ValueError(
                f"a training state has no {sorted(missing)[0]!r}: it is not complete, start the run again"
            )
        if state["step"] > self.settings.steps:
            raise ValueError(
                f"a training state of step {state['step']} does not fit a run of {self.settings.steps} steps"
            )
        try:
            self.family.load_state_dict(state["family"])
            self.optimizer.load_state_dict(state["optimizer"])
            # fused Adam takes a weight and its moments to lie alike in memory
            for weight, moments in self.optimizer.state.items():
                for name in ("exp_avg", "exp_avg_sq"):
                    moments[name] = torch.empty_like(weight).copy_(moments[name])
        except RuntimeError as error:
            raise ValueError(f"a training state does not fit this family and network: {error}") from None
        self.generator.set_state(state["generator"].cpu())
        self.step = state["step"]

    def draw(self) -> tuple[Tensor, dict[str, Tensor]]:
        """The next batch [B, C, H, W] and the family's noise, from the run's own generator."""
        B, generator, device = self.settings.batch_size, self.generator, self.device
        rows = len(self.images) if self.index is None else len(self.index)
        chosen = torch.randint(rows, (B,), generator=generator, device=device)
        x = self.images.batch(chosen if self.index is None else self.index[chosen])
        draws = {"normal": torch.randn, "uniform": torch.rand}
        noise = {
            name: draws[kind](shape, generator=generator, device=device)
            for name, (kind, shape) in self.family.noise(B).items()
        }
        return x, noise


def train(training: Training) -> Iterator[tuple[int, dict[str, float]]]:
    """Run ``training`` to its last step; yield (step, row) every ``record_every`` steps and at the last one.

    A row holds the mean of every term (nats per image; ``rate_0``, ``rate_1``, ... for ``rate_per_latent``), the scheduled
    hyper-parameters and ``learning_rate`` as they were at ``step``, all as Python floats. Raises ``Diverged``.
    """
    settings, family, optimizer = training.settings, training.family, training.optimizer
    hyper = {name: torch.zeros((), device=training.device) for name in training.schedules}
    autocast = torch.autocast(training.device.type, torch.bfloat16, enabled=training.precision == "bfloat16")
    family.train()
    if training.device.type == "cpu":
        keep_freed_memory()
    while training.step < settings.steps:
        interval = min(
            settings.record_every - training.step % settings.record_every, settings.steps - training.step
        )
        losses = torch.zeros(interval, device=training.device)
        # [B, number of columns], float64: the reduction over the batch waits for the row
        sums: Tensor | None = None
        for i in range(interval):
            step = training.step + i + 1
            learning_rate, values = training.learning_rate(step), training.hyper_at(step)
            for group in training.on_schedule:
                optimizer.param_groups[group]["lr"] = learning_rate
            for name, value in values.items():
                hyper[name].fill_(value)

            x, noise = training.draw()
            with autocast:
                terms = family.terms(x, hyper, noise)
            loss = terms["loss"].mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

            with torch.no_grad():
                losses[i] = loss
                columns = _columns(terms)
                sums = columns.double() if sums is None else sums.add_(columns)
        training.step += interval

        assert sums is not None
        broken = ~losses.isfinite()
        first = torch.stack([broken.any(), broken.int().argmax()]).double()
        # the interval's one wait for the device
        diverged, at, *means = torch.cat([first, sums.mean(0) / interval]).tolist()
        if diverged:
            raise Diverged(training.step - interval + 1 + int(at))
        row = dict(zip(_names(terms), means, strict=True)) | values | {"learning_rate": learning_rate}
        yield training.step, row


def _stream(seed: int) -> int:
    """A seed for the training's generator: ``seed`` itself would repeat the numbers that the weights were drawn from."""
    return int.from_bytes(hashlib.blake2b(f"training {seed}".encode(), digest_size=8).digest(), "big") >> 1


def _columns(terms: Mapping[str, Tensor]) -> Tensor:
    """Every term of a batch side by side, [B, number of columns]; a [] term is repeated for each image."""
    B = len(terms["loss"])
    wide = [term.reshape(B, -1) if term.ndim else term.expand(B, 1) for term in terms.values()]
    return torch.cat(wide, dim=1)


def _names(terms: Mapping[str, Tensor]) -> list[str]:
    """The names of the columns."""
    names: list[str] = []
    for name, term in terms.items():
        names += [f"rate_{latent}" for latent in range(term.shape[1])] if term.ndim == 2 else [name]
    return names

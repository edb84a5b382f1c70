"""The training loop: stochastic gradient steps with Adam on batches drawn from one data set.

    θ ← Adam(θ, ∇ 1/B Σ_b loss_b)

The rows b are drawn independently and uniformly, with replacement, as in the 12,600-model study (Locatello et
al. 2019, arXiv:1811.12359).

``train`` is a generator of (step, row): the caller reports, saves, prunes or stops between rows. Updates are
counted from 1, and update t uses the schedules' values at t. A row has the mean of every term over the images
of the updates since the last row.

The state saved at a row is complete (weights, optimizer, random generator, step). A run resumed from it
continues bit for bit, with the same weights and the same rows on the same kind of device. Weights depend on
the family's seed; batches and noise on a generator that the training owns. So neither changes the other or
the program's global generators.

A step does not sync with the host: batch, noise, scheduled values, losses and sums of terms are on the
device, and a counter there holds the number of the update. Every step is therefore the same sequence of
operations on the same tensors, the host waits for the device only at rows, and a GPU captures the whole step
once and replays it (``vaecore.capture``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vaecore.batch import Batch, Sampler
from vaecore.capture import Replayed
from vaecore.families import Family
from vaecore.memory import device_failure, keep_freed_memory
from vaecore.noise import draw
from vaecore.options import Option, complete
from vaecore.precision import Precision, check_precision, resolve_precision
from vaecore.schedules import schedule

__all__ = ["Diverged", "Row", "Settings", "Training", "train"]

Row = tuple[int, dict[str, float]]
"""A step, and the values measured there."""

LEARNING_RATE = Option("Adam's step size", low=0, scheduled=True)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How long and how fast to train.

    Raises:
        ValueError: names the setting, what was found and what is allowed.
    """

    steps: int
    """The number of updates; 0 leaves the model untrained."""
    batch_size: int
    """Images per update."""
    learning_rate: float | Mapping[str, Any]
    """Adam's step size for every parameter group without its own: a number or a schedule."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Adam's decay rates of the first and second moment."""
    precision: Precision = "auto"
    """The precision that networks compute in; see ``resolve_precision``."""
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


class Diverged(RuntimeError):  # noqa: N818 - the name of such a trial's status
    """A loss was NaN or infinite, first at the update ``step``, counted from 1."""

    def __init__(self, step: int) -> None:
        super().__init__(
            f"the loss was not finite at step {step}: lower the learning rate, or the objective's weights"
        )
        self.step = step

    def __reduce__(self) -> tuple[type[Diverged], tuple[int]]:
        return Diverged, (self.step,)  # pickle would pass the message to the constructor


class Training:
    """A run: the family, its data, and the complete state that ``train`` advances."""

    def __init__(
        self,
        family: Family,
        sampler: Sampler,
        settings: Settings,
        hyper: Mapping[str, Any],
        *,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        """``hyper``: as in ``families.build``."""
        self.device = torch.device(device)
        self.settings = settings
        self.family = family.to(self.device)
        self.sampler = sampler.to(self.device)
        self.precision = resolve_precision(settings.precision, self.device, family)
        if self.device.type == "cpu" or self.precision == "bfloat16":
            # faster convolutions on a CPU (1.7 times at 64×64) and in tensor cores
            self.family.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        values = complete(f"family {type(family).__name__}", family.options, hyper)
        self.schedules = {
            name: schedule(value) for name, value in values.items() if family.options[name].scheduled
        }
        self.learning_rate = schedule(settings.learning_rate)
        on_gpu = self.device.type == "cuda"
        self.optimizer = torch.optim.Adam(
            family.parameter_groups(), lr=1.0, betas=settings.betas, fused=True, capturable=on_gpu
        )
        self.generator = torch.Generator(self.device)
        self.generator.manual_seed(_stream(seed))
        self.step = 0
        self.pending = 0
        """The number of updates until the next row."""

        # tensors at fixed addresses that a step reads and writes, beside weights, moments and images
        rows = min(settings.record_every, max(settings.steps, 1))
        self._counter = torch.zeros(1, dtype=torch.int64, device=self.device)  # updates since the last row
        # the last column is the learning rate
        self._scheduled = torch.zeros(rows, len(self.schedules) + 1, device=self.device)
        self._learning_rate = torch.zeros((), device=self.device)
        self._losses = torch.zeros(rows, device=self.device)
        self._names: list[str] = []
        # [B, columns], float64: the reduction over the batch waits for the row
        self._sums: Tensor | None = None
        self._replayed = Replayed(self.generator) if on_gpu else None
        # by position: loading a state puts new dictionaries in the place of the optimizer's groups
        self._own_rate = ["lr" in group for group in family.parameter_groups()]
        self._place_learning_rate()

    def hyper_at(self, step: int) -> dict[str, float]:
        """The scheduled options' values at update ``step``."""
        return {name: float(values(step)) for name, values in self.schedules.items()}

    def state_dict(self) -> dict[str, Any]:
        """All that the rest of the run depends on, beside the constructor's arguments; complete at rows."""
        return {
            "step": self.step,
            "family": self.family.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a saved state. Raises a ValueError if it is not a state of this run."""
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
            # fused Adam assumes that a weight and its moments have the same layout in memory
            for weight, moments in self.optimizer.state.items():
                for name in ("exp_avg", "exp_avg_sq"):
                    moments[name] = torch.empty_like(weight).copy_(moments[name])
        except RuntimeError as error:
            if device_failure(error):
                raise
            raise ValueError(f"a training state does not fit this family and network: {error}") from None
        self._place_learning_rate()
        self.generator.set_state(state["generator"].cpu())
        self.step = state["step"]
        self.pending = 0
        if self._replayed is not None:  # the state has replaced the tensors of the recording
            self._replayed = Replayed(self.generator)

    def draw(self) -> tuple[Batch, dict[str, Tensor]]:
        """The next batch and the family's noise, from the run's own generator."""
        B = self.settings.batch_size
        return self.sampler.draw(B, self.generator), draw(self.family.noise(B), self.generator)

    def open_row(self) -> None:
        """Begin the updates of the next row: copy their scheduled values to the device."""
        if self.step >= self.settings.steps:
            raise ValueError(f"this run has done all of its {self.settings.steps} steps")
        every = self.settings.record_every
        self.pending = min(every - self.step % every, self.settings.steps - self.step)
        steps = torch.arange(self.step + 1, self.step + 1 + self.pending, dtype=torch.float64)
        values = [values(steps).double() for values in (*self.schedules.values(), self.learning_rate)]
        with self._on_stream():
            self._scheduled[: self.pending].copy_(torch.stack(values, dim=1))
            self._counter.zero_()
            if self._sums is not None:
                self._sums.zero_()
        self.family.train()
        if self.device.type == "cpu":
            keep_freed_memory()

    def advance(self) -> None:
        """One update of the open row. On a GPU it is queued, and not finished when this returns."""
        if self._replayed is None:
            self._update()
        else:
            self._replayed(self._update)
        self.pending -= 1
        self.step += 1

    def close_row(self) -> Row:
        """The row of the updates since ``open_row``; waits for the device. Raises ``Diverged``."""
        assert self.pending == 0
        assert self._sums is not None
        interval = (self.step - 1) % self.settings.record_every + 1
        with self._on_stream():
            broken = ~self._losses[:interval].isfinite()
            first = torch.stack([broken.any(), broken.int().argmax()]).double()
            # the interval's one wait for the device
            diverged, at, *means = torch.cat([first, self._sums.mean(0) / interval]).tolist()
        if diverged:
            raise Diverged(self.step - interval + 1 + int(at))
        scheduled = self.hyper_at(self.step) | {"learning_rate": float(self.learning_rate(self.step))}
        return self.step, dict(zip(self._names, means, strict=True)) | scheduled

    def _update(self) -> None:
        """One update without a host sync: the same operations on the same tensors every time."""
        values = self._scheduled.index_select(0, self._counter)[0]
        hyper = dict(zip(self.schedules, values, strict=False))
        self._learning_rate.copy_(values[-1])
        self.optimizer.zero_grad(set_to_none=True)
        batch, noise = self.draw()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            terms = self.family.terms(batch, hyper, noise)
        loss = terms["loss"].mean()
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            self.family.update(terms)
            self._losses.index_copy_(0, self._counter, loss.reshape(1))
            recorded = {name: term for name, term in terms.items() if not name.startswith("_")}
            columns = _columns(recorded)
            if self._sums is None:
                self._names, self._sums = _names(recorded), torch.zeros_like(columns, dtype=torch.float64)
            self._sums.add_(columns)
            self._counter.add_(1)

    def _on_stream(self) -> AbstractContextManager[Any]:
        return nullcontext() if self._replayed is None else self._replayed.on_stream()

    def _place_learning_rate(self) -> None:
        """Give groups without their own rate the tensor into which each update copies the scheduled rate."""
        for group, own in zip(self.optimizer.param_groups, self._own_rate, strict=True):
            if not own:
                group["lr"] = self._learning_rate


def train(training: Training) -> Iterator[Row]:
    """Run ``training`` to its last step; yield (step, row) every ``record_every`` steps and at the last step.

    A row holds the mean of every term (nats per image; ``rate_0``, ``rate_1``, ... for ``rate_per_group``),
    the scheduled options and ``learning_rate`` at ``step``, all as Python floats. Raises ``Diverged``.
    """
    while training.step < training.settings.steps:
        training.open_row()
        while training.pending:
            training.advance()
        yield training.close_row()


def _stream(seed: int) -> int:
    """A seed for the training's generator: ``seed`` itself would repeat the random numbers of the weights."""
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
        groups = range(term.shape[1]) if term.ndim == 2 else ()
        names += [f"{name.removesuffix('_per_group')}_{group}" for group in groups] or [name]
    return names

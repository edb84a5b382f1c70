"""A candidate for packing: the stacked weights of n models, and one step vectorised over the models.

    weights, moments   [n, ...], separate for each model
    x, noise           [n, B, C, H, W], [n, B, L], separate for each model
    loss               Σ_m loss_m: only loss_m contributes to the gradient of model m, and Adam is elementwise

``torch.func.vmap`` over the plain modules of ``benchmarks.reference`` turns n convolutions into one with n
groups, and n matrix products into a batched one. On a GPU the step is captured and replayed like ours.
Scheduled hyper-parameters keep their values of step 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from benchmarks import sprites, study_model
from benchmarks.contestants import Spec
from benchmarks.reference import Model, objectives, plain_state
from vaecore.capture import Replayed
from vaecore.precision import resolve_precision
from vaecore.schedules import schedule

__all__ = ["Stacked", "prepare"]


class Objective(nn.Module):
    """The loss [] of one model, as a module, so that ``functional_call`` can replace its weights."""

    def __init__(self, family: str, model: Model, dataset_size: int) -> None:
        super().__init__()
        self.family, self.model, self.dataset_size = family, model, dataset_size

    def forward(self, x: Tensor, noise: Mapping[str, Tensor], hyper: Mapping[str, Tensor]) -> Tensor:
        terms = objectives(self.family, self.model, x, noise, hyper, self.dataset_size)
        # the gradients of the two players are disjoint: each treats the other's weights or codes as constants
        return terms["loss"] + terms.get("critic_objective", 0.0)


class Stacked:
    def __init__(self, spec: Spec, folder: Path) -> None:
        self.device = torch.device(spec.device)
        self.n = spec.pack
        self.per_step = float(study_model.BATCH_SIZE * spec.pack)
        self.images = sprites.packed(folder, spec.side).to(self.device)
        objectives = [self._objective(spec, seed) for seed in range(spec.seed, spec.seed + spec.pack)]
        self.precision = resolve_precision(spec.precision, self.device, objectives[0])  # type: ignore[arg-type]
        weights, _ = stack_module_state(objectives)
        self.weights = {name: weight.detach().requires_grad_() for name, weight in weights.items()}
        self.skeleton = objectives[0]
        critic = [weight for name, weight in self.weights.items() if ".critic." in name]
        others = [weight for name, weight in self.weights.items() if ".critic." not in name]
        groups = [{"params": others, "lr": study_model.LEARNING_RATE}]
        groups += [{"params": critic, "lr": 1e-4, "betas": (0.5, 0.9)}] if critic else []
        on_gpu = self.device.type == "cuda"
        self.optimizer = torch.optim.Adam(groups, fused=True, capturable=on_gpu)
        self.hyper = {
            name: torch.tensor(float(schedule(value)(1)), device=self.device)
            for name, value in study_model.FAMILIES[spec.family].items()
        }
        self.generator = torch.Generator(self.device)
        self.generator.manual_seed(spec.seed)
        self.replayed = Replayed(self.generator) if on_gpu else None

    def step(self, x: Tensor, noise: Mapping[str, Tensor]) -> Tensor:
        """Take one step of every model on its batch; the losses [n] before the step."""

        def loss(weights: dict[str, Tensor], x: Tensor, noise: dict[str, Tensor]) -> Tensor:
            found: Tensor = functional_call(self.skeleton, weights, (x, noise, self.hyper))
            return found

        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            losses: Tensor = vmap(loss)(self.weights, x, dict(noise))
        self.optimizer.zero_grad()
        losses.sum().backward()
        self.optimizer.step()
        return losses.detach()

    def run(self, steps: int) -> None:
        for _ in range(steps):
            if self.replayed is None:
                self._draw_and_step()
            else:
                self.replayed(self._draw_and_step)
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def _draw_and_step(self) -> None:
        shape = (self.n, study_model.BATCH_SIZE)
        options = {"generator": self.generator, "device": self.device}
        rows = torch.randint(len(self.images), shape, **options)  # type: ignore[call-overload]
        x = self.images.batch(rows.flatten()).unflatten(0, shape)
        noise = {"posterior": torch.randn(*shape, study_model.LATENTS, **options)}  # type: ignore[call-overload]
        if self.skeleton.model.critic is not None:
            noise["permutation"] = torch.rand(*shape, study_model.LATENTS, **options)  # type: ignore[call-overload]
        self.step(x, noise)

    def _objective(self, spec: Spec, seed: int) -> Objective:
        shape = self.images.shape
        family = study_model.build(
            spec.family, len(self.images), seed, image_shape=shape, network=spec.network
        )
        model = Model(spec.family, spec.network, shape, study_model.LATENTS)
        model.load_state_dict(plain_state(family.state_dict()))
        return Objective(spec.family, model, len(self.images)).to(self.device)


def prepare(spec: Spec, folder: Path) -> Stacked:
    return Stacked(spec, folder)

"""pythae (C. Chadebec, L. J. Vincent, S. Allassonnière, 2022, arXiv:2206.08309) with the same network and
data.

Batch size and likelihood are the same too. The measured function is ``train_step`` of its trainers. It
iterates over its DataLoader once; here the loader ends after ``steps`` batches. It prints and saves nothing
meanwhile.

    vae            VAE                                  BaseTrainer
    annealed_vae   DisentangledBetaVAE                  BaseTrainer          beta is our γ
    beta_tc_vae    BetaTCVAE, use_mss                   BaseTrainer
    factor_vae     FactorVAE, our critic's layers       AdversarialTrainer

Its FactorVAE splits each batch: one half trains encoder and decoder, the other half is only encoded, for the
critic's second batch. (So does the paper; in the 12,600-model study, and in ours, both players get one
batch.) It reads 128 images per step, so that it trains on 64, and these 64 are counted.

pythae computes in float32, with PyTorch's defaults for the device: its trainers switch mixed precision
(``amp``) off for Bernoulli pixels ("bce"), and its adversarial trainer never uses it.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from pythae.data.datasets import BaseDataset
from pythae.models import (
    VAE,
    BetaTCVAE,
    BetaTCVAEConfig,
    DisentangledBetaVAE,
    DisentangledBetaVAEConfig,
    FactorVAE,
    FactorVAEConfig,
    VAEConfig,
)
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseDiscriminator, BaseEncoder
from pythae.trainers import AdversarialTrainer, AdversarialTrainerConfig, BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import CallbackHandler, TrainingCallback
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks import reference, sprites, study_model
from benchmarks.contestants import Spec

__all__ = ["Pythae", "prepare"]


class Encoder(BaseEncoder):
    def __init__(self) -> None:
        super().__init__()
        self.layers = reference.encoder("conv", study_model.IMAGE_SHAPE, study_model.LATENTS)

    def forward(self, x: Tensor) -> ModelOutput:
        mean, log_variance = self.layers(x).chunk(2, dim=1)
        return ModelOutput(embedding=mean, log_covariance=log_variance)


class Decoder(BaseDecoder):
    def __init__(self) -> None:
        super().__init__()
        self.layers = reference.decoder("conv", study_model.IMAGE_SHAPE, study_model.LATENTS)

    def forward(self, z: Tensor) -> ModelOutput:
        return ModelOutput(reconstruction=self.layers(z).sigmoid())


class Critic(BaseDiscriminator):
    def __init__(self) -> None:
        super().__init__()
        self.layers = reference.critic(study_model.LATENTS)

    def forward(self, z: Tensor) -> Tensor:
        logits: Tensor = self.layers(z)
        return logits


class Stretch:
    """A DataLoader that ends after ``steps`` batches instead of an epoch, and later continues there."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        self.loader = loader
        self.dataset = loader.dataset  # pythae reads its length
        self.steps = 0
        self.batches = self._endless()

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Any]:
        return islice(self.batches, self.steps)

    def _endless(self) -> Iterator[Any]:
        while True:
            yield from self.loader


class Pythae:
    precision = "float32"
    per_step = float(study_model.BATCH_SIZE)

    def __init__(self, spec: Spec, folder: Path) -> None:
        for name, logger in logging.root.manager.loggerDict.items():
            if name.startswith("pythae") and isinstance(logger, logging.Logger):
                logger.setLevel(logging.ERROR)
        torch.manual_seed(spec.seed)
        model = _model(spec.family)
        adversarial = spec.family in reference.WITH_CRITIC
        pixels = sprites.floats(folder)
        self.folder = tempfile.TemporaryDirectory()
        common = {
            "output_dir": self.folder.name,
            "per_device_train_batch_size": study_model.BATCH_SIZE * (2 if adversarial else 1),
            "train_dataloader_num_workers": spec.loaders,
            "no_cuda": spec.device != "cuda",
        }
        dataset = BaseDataset(pixels, torch.zeros(len(pixels)))
        if adversarial:
            config = AdversarialTrainerConfig(
                autoencoder_learning_rate=study_model.LEARNING_RATE,
                discriminator_learning_rate=1e-4,
                discriminator_optimizer_params={"betas": (0.5, 0.9)},
                **common,
            )
            self.trainer = AdversarialTrainer(model, dataset, training_config=config)
        else:
            config = BaseTrainerConfig(learning_rate=study_model.LEARNING_RATE, **common)
            self.trainer = BaseTrainer(model, dataset, training_config=config)
        self.trainer.prepare_training()
        # without callbacks that print progress
        self.trainer.callback_handler = CallbackHandler([TrainingCallback()], model=self.trainer.model)
        self.trainer.train_loader = self.stretch = Stretch(self.trainer.train_loader)

    def run(self, steps: int) -> None:
        self.stretch.steps = steps
        self.trainer.train_step(epoch=1)  # ends with .item() of the last loss: the device is done


MODELS: dict[str, tuple[type[VAE], type[VAEConfig], Callable[[Any], dict[str, Any]]]] = {
    "vae": (VAE, VAEConfig, lambda hyper: {}),
    "annealed_vae": (
        DisentangledBetaVAE,
        DisentangledBetaVAEConfig,
        lambda hyper: {"beta": hyper["gamma"], "C": hyper["capacity"]["to"]},
    ),
    "beta_tc_vae": (BetaTCVAE, BetaTCVAEConfig, lambda hyper: {"beta": hyper["beta"], "use_mss": True}),
    "factor_vae": (FactorVAE, FactorVAEConfig, lambda hyper: {"gamma": hyper["gamma"]}),
}
"""Family -> model class, configuration class, and the configuration's options by our hyper-parameters."""


def _model(family: str) -> VAE:
    cls, config, settings = MODELS[family]
    common = {
        "input_dim": study_model.IMAGE_SHAPE,
        "latent_dim": study_model.LATENTS,
        "reconstruction_loss": "bce",
    }
    configured = config(**common, **settings(study_model.FAMILIES[family]))
    model = cls(configured, encoder=Encoder(), decoder=Decoder())
    if family in reference.WITH_CRITIC:
        model.set_discriminator(Critic())
    return model


def prepare(spec: Spec, folder: Path) -> Pythae:
    return Pythae(spec, folder)

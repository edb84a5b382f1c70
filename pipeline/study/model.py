"""The PyTorch model of a trial, its images and its batches."""

from __future__ import annotations

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from pipeline.errors import UserError
from pipeline.store.layout import Store
from pipeline.store.ready import Ready
from pipeline.study.expansion import needs_of
from pipeline.study.trial import Trial
from vaecore import families
from vaecore.batch import Sampler
from vaecore.images import Images
from vaecore.nuisances import Nuisance

__all__ = ["build", "images_of", "load_model", "sampler_of"]


def build(trial: Trial, ready: Ready) -> families.Family:
    """The trial's model with initial weights, which the seed determines."""
    needs = needs_of(trial.family, trial.hyper)
    return families.build(
        trial.family,
        image_shape=ready.shape,
        latents=trial.latents,
        network=trial.network,
        initialization=trial.initialization,
        likelihood=trial.likelihood,
        corruption=trial.corruption,
        dataset_size=len(ready) if ready.train_rows is None else len(ready.train_rows),
        classes=ready.classes if "labels" in needs else None,
        factor_sizes=ready.factor_sizes if "factors" in needs else None,
        hyper=dict(trial.hyper),
        seed=trial.seed,
    )


def load_model(trial: Trial, ready: Ready, store: Store) -> families.Family:
    """A finished trial's model, with its trained weights, in evaluation mode.

    Raises:
        UserError: the file with the weights is damaged.
    """
    folder = store.run(trial.dataset, trial.key)
    family = build(trial, ready)
    try:
        family.load_state_dict(load_file(folder / "model.safetensors"))
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{folder / 'model.safetensors'} is damaged ({error}). Remove {folder}; then `dvc repro` trains "
            "the model again."
        ) from None
    return family.eval()


def images_of(ready: Ready) -> Images:
    """The data set's images for training and evaluation; they share the memory map."""
    nuisance = None
    if (name := ready.meta.get("nuisance")) is not None:
        picture = None if ready.picture is None else torch.from_numpy(ready.picture)
        nuisance = Nuisance(name, ready.shape[1:], picture)
    return Images(torch.from_numpy(ready.images), ready.shape, nuisance)


def sampler_of(
    ready: Ready, images: Images, needs: frozenset[str], rows: torch.Tensor | None = None
) -> Sampler:
    """Batches of ``rows``, or of all rows, with the labels or factors that a family ``needs`` as ranks."""
    known = {name: torch.from_numpy(ready.numbers(name)).to(images.stored.device) for name in sorted(needs)}
    return Sampler(images, rows=rows, **known)

"""What a trial is: one configuration and one seed; its identity; how it is run, resumed and finished.

    key = SHA-256(data set's checksum, family and its hyper-parameters, network, latents, likelihood,
                  training settings, seed, digest of the vaecore source files the family depends on)

Two trials with one key would compute the same numbers, so a finished one is never computed again; what changes the
key makes a new trial beside the old one. Learning what ran where, how long, and how often it was interrupted is the
result's business, not the key's.
"""

from __future__ import annotations

import hashlib
import json
import logging
import pickle
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from pipeline import provenance
from pipeline.errors import UserError
from pipeline.params import Params, hyper_points
from pipeline.store import Ready, Store, atomic, read_json, write_json
from vaecore import families
from vaecore.images import Images
from vaecore.training import Diverged, Settings, Training, train

__all__ = ["Trial", "expand", "load_model", "run", "short"]

log = logging.getLogger("betabench.trial")

LOG_SECONDS = 5.0
"""Between two lines of progress in a trial's log."""


@dataclass(frozen=True)
class Trial:
    """One model to train. Two trials are the same exactly when their keys are."""

    dataset: str
    checksum: str
    """of the prepared data."""
    family: str
    hyper: Mapping[str, Any]
    """Hyper-parameter -> number, string or schedule, as configured."""
    network: str | Mapping[str, Any]
    latents: int
    likelihood: str | Mapping[str, Any]
    training: Settings
    seed: int
    source: str
    """Digest of the family's source files."""

    @cached_property
    def key(self) -> str:
        """20 hexadecimal digits of the identity's SHA-256; names the run folder."""
        return hashlib.sha256(json.dumps(self.config(), sort_keys=True).encode()).hexdigest()[:20]

    @property
    def untrained(self) -> bool:
        """A baseline: initialised, scored, never trained."""
        return self.training.steps == 0

    @property
    def name(self) -> str:
        """For people: family, the hyper-parameters that are not the default, seed."""
        declared = families.family_class(self.family).hyperparameters
        particular = {name: value for name, value in self.hyper.items() if value != declared[name].default}
        values = [f"{name}={short(value)}" for name, value in particular.items()]
        return " ".join(
            [self.family, *values, *(["untrained"] if self.untrained else []), f"seed={self.seed}"]
        )

    def config(self) -> dict[str, Any]:
        """Everything the key is made of, as JSON knows it."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Trial:
        """The inverse of :meth:`config`."""
        return cls(**{**config, "training": Settings(**config["training"])})


def short(value: Any) -> str:
    """A hyper-parameter's value for people: 4, linear(0→25)."""
    if isinstance(value, Mapping):
        ends = "→".join(f"{value[end]:g}" for end in ("from", "to") if end in value)
        return f"{value['schedule']}({ends})"
    return f"{value:g}" if isinstance(value, float) else str(value)


def expand(params: Params, ready: Mapping[str, Ready]) -> list[Trial]:
    """Every trial of a study, once: data sets x families x grid points x seeds, baselines last in each data set."""
    trials = []
    for dataset in params.datasets:
        model, settings = params.model_of(dataset), params.training_of(dataset)
        points = [
            (family, hyper, settings)
            for family, grid in params.families.items()
            for hyper in hyper_points(family, grid or {})
        ]
        if params.untrained:
            points.append(("vae", {}, Settings(**{**asdict(settings), "steps": 0})))
        trials += [
            Trial(
                dataset=dataset,
                checksum=ready[dataset].meta["checksum"],
                family=family,
                hyper=hyper,
                network=model.network,
                latents=model.latents,
                likelihood=model.likelihood,
                training=training,
                seed=seed,
                source=provenance.source_digest(f"vaecore.families.{family}", "vaecore.training"),
            )
            for family, hyper, training in points
            for seed in params.seeds
        ]
    return list({trial.key: trial for trial in trials}.values())


def build(trial: Trial, ready: Ready) -> families.Family:
    """The trial's model with the weights its seed gives."""
    n = len(ready) if ready.test is None else int((~ready.test).sum())
    return families.build(
        trial.family,
        image_shape=ready.shape,
        latents=trial.latents,
        network=trial.network,
        likelihood=trial.likelihood,
        dataset_size=n,
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
            f"{folder / 'model.safetensors'} is damaged ({error}). Remove {folder}; `dvc repro` trains it again."
        ) from None
    return family.eval()


def images_of(ready: Ready) -> Images:
    """The data set's images as training and evaluation take them; shares the memory map."""
    return Images(torch.from_numpy(ready.images), ready.shape)


def run(
    trial: Trial, store: Store, *, device: str = "cpu", checkpoint_seconds: float = 30.0
) -> Iterator[tuple[int, dict[str, float]]]:
    """Train a trial to its end, going on from its last checkpoint; yields (step, terms) at every history row.

    Leaves the run folder complete, with status ``finished``, or ``diverged`` where the loss became NaN or infinite.
    Whatever else goes wrong is written to ``failure.json`` and raised; the checkpoint stays for the next attempt.
    """
    folder = store.run(trial.dataset, trial.key)
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(".*.tmp"):
        leftover.unlink(missing_ok=True)
    handler = logging.FileHandler(folder / "trial.log")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield from _run(trial, store, device, checkpoint_seconds)
    except Exception as error:
        log.exception("failed")
        record_failure(trial, store, f"{type(error).__name__}: {error}", traceback.format_exc())
        raise
    finally:
        log.removeHandler(handler)
        handler.close()


def _run(
    trial: Trial, store: Store, device: str, checkpoint_seconds: float
) -> Iterator[tuple[int, dict[str, float]]]:
    folder = store.run(trial.dataset, trial.key)
    write_json(folder / "config.json", trial.config())
    ready = store.read_ready(trial.dataset)
    rows = ready.train_rows
    training = Training(
        build(trial, ready),
        images_of(ready),
        trial.training,
        dict(trial.hyper),
        index=None if rows is None else torch.from_numpy(rows),
        seed=trial.seed,
        device=device,
    )
    log.info("%s on %s (%s, %d threads)", trial.name, trial.dataset, device, torch.get_num_threads())
    history, earlier, resumed = _resume(training, folder)
    began = saved = logged = time.monotonic()
    first = training.step
    status, diverged_at = "finished", None
    try:
        for step, terms in train(training):
            history.append({"step": step, **terms})
            now = time.monotonic()
            if now - logged >= LOG_SECONDS:
                log.info("step %d: distortion %.2f, rate %.2f nats", step, terms["distortion"], terms["rate"])
                logged = now
            if now - saved >= checkpoint_seconds:
                _checkpoint(training, history, earlier + now - began, resumed, folder)
                saved = now
            yield step, terms
    except Diverged as error:
        status, diverged_at = "diverged", error.step
        log.info("diverged: the loss was not finite at step %d", error.step)
    seconds = time.monotonic() - began
    with atomic(folder / "model.safetensors") as temporary:
        save_file(
            {name: value.contiguous().cpu() for name, value in training.family.state_dict().items()},
            temporary,
        )
    with atomic(folder / "history.parquet") as temporary:
        pd.DataFrame(history or {"step": pd.Series(dtype="int64")}).to_parquet(temporary, index=False)
    images = (training.step - first) * trial.training.batch_size
    result = {
        "status": status,
        "diverged_at": diverged_at,
        "steps": training.step,
        "seconds": round(earlier + seconds, 3),
        "images_per_second": round(images / seconds, 1) if images else None,
        "interruptions": resumed,
        "device": device,
        "threads": torch.get_num_threads(),
        "machine": provenance.machine(),
        "commit": provenance.git_commit(store.root),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    store.write_result(
        trial.dataset, trial.key, result, ("model.safetensors", "history.parquet", "config.json")
    )
    log.info("%s after %d steps, %.1f s", status, training.step, earlier + seconds)


def _checkpoint(
    training: Training, history: list[dict[str, Any]], seconds: float, resumed: int, folder: Any
) -> None:
    with atomic(folder / "checkpoint.pt") as temporary:
        torch.save(
            {"training": training.state_dict(), "history": history, "seconds": seconds, "resumed": resumed},
            temporary,
        )


def _resume(training: Training, folder: Any) -> tuple[list[dict[str, Any]], float, int]:
    """Take up the last checkpoint, where there is a whole one: (history, seconds trained, interruptions so far)."""
    path = folder / "checkpoint.pt"
    if not path.exists():
        return [], 0.0, 0
    try:
        saved = torch.load(path, weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        log.warning("checkpoint.pt is damaged (%s); training starts anew", error)
        path.unlink()
        return [], 0.0, 0
    training.load_state_dict(saved["training"])
    log.info("resumed at step %d", training.step)
    return saved["history"], saved["seconds"], saved["resumed"] + 1


def record_failure(trial: Trial, store: Store, reason: str, detail: str) -> None:
    """Note why an attempt failed; the next success removes it."""
    path = store.run(trial.dataset, trial.key) / "failure.json"
    attempts = (read_json(path) or {}).get("attempts", 0) + 1
    write_json(
        path,
        {
            "trial": trial.name,
            "reason": reason,
            "detail": detail,
            "attempts": attempts,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    )

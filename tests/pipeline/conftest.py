"""A synthetic study: a store with every file that a report reads, with plausible random numbers."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from mlflow.tracking import MlflowClient
from PIL import Image
from sklearn.datasets import load_digits

import metrics
from pipeline.store.files import atomic, write_json
from pipeline.store.layout import Store
from pipeline.store.ready import Ready
from pipeline.study.expansion import expand
from pipeline.study.params import Params
from pipeline.study.settings import strength
from pipeline.study.trial import Trial
from tests.pipeline.clone import ONE_CORE
from tests.vaecore.small import CLASSES, FACTOR_SIZES
from vaecore.batch import Sampler
from vaecore.families import family_class
from vaecore.images import Images
from vaecore.schedules import schedule

FAMILIES: dict[str, Any] = {
    "ae": {},
    "vae": {},
    "beta_vae": {"beta": [2.0, 4.0, 8.0, 16.0]},
    "annealed_vae": {
        "gamma": 30.0,
        "capacity": [{"schedule": "linear", "from": 0, "to": to, "steps": 500} for to in (5, 10, 20)],
    },
    "factor_vae": {"gamma": [5.0, 20.0]},
    "beta_tc_vae": {"beta": [4.0, 8.0]},
}

FORMS: dict[str, dict[str, Any]] = {
    "digits": {"shape": (1, 8, 8), "labels": 10, "floor": 15.0, "ceiling": 26.0, "blank": 44.4},
    "dsprites": {
        "shape": (1, 32, 32), "factors": (3, 3, 8, 8, 8), "floor": 22.0, "ceiling": 95.0, "blank": 710.0,
    },
}  # fmt: skip

MACHINE = {
    "cpu": "AMD EPYC 7763 64-Core Processor", "gpu": None, "python": "3.11.7", "system": "Linux x86_64",
    "torch": "2.13.0", "ray": "2.60.0", "mlflow": "3.17.2", "numpy": "2.4.6", "scikit-learn": "1.8.0",
}  # fmt: skip

Make = Callable[..., tuple[Params, Store]]


@pytest.fixture(autouse=True)
def _one_core_for_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests run side by side, so Ray starts one worker process in each; tests of several say so."""
    monkeypatch.setenv("RAY_OVERRIDE_RESOURCES", ONE_CORE)


@pytest.fixture(scope="session")
def empty_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new MLflow store: making one takes seconds, and most tests need no more than a copy."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture(scope="session")
def images() -> Images:
    """100 of scikit-learn's digits."""
    digits = load_digits().images[:100]
    return Images(torch.from_numpy(np.round(digits * 255 / 16).astype(np.uint8)[:, None]), (1, 8, 8))


@pytest.fixture(scope="session")
def sampler(images: Images) -> Sampler:
    """The same images with labels and factors, which are unrelated to the images."""
    rows = torch.arange(len(images))
    factors = [rows // CLASSES**place % size for place, size in enumerate(FACTOR_SIZES)]
    return Sampler(images, labels=rows % CLASSES, factors=torch.stack(factors, dim=1))


@pytest.fixture(scope="session")
def make_study(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """``make_study(**options)`` -> (params, store) of ``synthesise``, each in its own folder."""
    return lambda **options: synthesise(tmp_path_factory.mktemp("study"), **options)


def synthesise(
    root: Path,
    *,
    datasets: tuple[str, ...] = ("digits", "dsprites"),
    families: dict[str, Any] | None = None,
    seeds: tuple[int, ...] = (0, 1),
    untrained: bool = True,
    study: str = "quick",
    metric_names: tuple[str, ...] | None = None,
    ends: Callable[[Trial], str] = lambda trial: "finished",
) -> tuple[Params, Store]:
    """Write a study's params.yaml, ready data, run folders and scores below ``root``.

    ``ends`` says how a trial ended: "finished", "diverged", "failed" or "missing".
    """
    params = Params.model_validate(
        {
            "study": study,
            "datasets": {name: {} for name in datasets},
            "families": FAMILIES if families is None else families,
            "untrained": untrained,
            "seeds": list(seeds),
            "training": {"steps": 1000, "batch_size": 64, "learning_rate": 0.001, "record_every": 50},
            "model": {"network": "conv", "latents": 10, "likelihood": "bernoulli"},
            "overrides": {},
            "scheduling": {},
            "tracking": {"uri": "sqlite:///mlflow.db"},
            "evaluation": {"metrics": list(metric_names or metrics.names())},
        }
    )
    (root / "params.yaml").write_text(f"study: {study} # as written\nseeds: {list(seeds)}\n")
    store = Store(root)
    for name in datasets:
        _write_ready(store, name)
    ready = {name: store.read_ready(name) for name in datasets}
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in datasets}
    for number, trial in enumerate(expand(params, ready)):
        how = ends(trial)
        if how == "failed":
            _write_failure(store, trial)
        elif how != "missing":
            rng = np.random.default_rng(number)
            rate, distortion = _place(trial, rng)
            _write_run(store, trial, how, rate, distortion, rng)
            if how == "finished":
                values = _scores(trial, rate, distortion, ready[trial.dataset], rng)
                rows[trial.dataset] += _rows(trial, values, params)
                _write_pictures(store, trial, ready[trial.dataset], rng)
    for name in datasets:
        if rows[name]:
            with atomic(store.scores(name) / "scores.parquet") as temporary:
                pd.DataFrame(rows[name]).to_parquet(temporary, index=False)
    return params, store


def _write_ready(store: Store, name: str) -> None:
    form = FORMS[name]
    rng = np.random.default_rng(0)
    n = int(np.prod(form["factors"])) if "factors" in form else 300
    arrays: dict[str, Any] = {"images": rng.integers(0, 256, (n, *form["shape"]), dtype=np.uint8)}
    meta = {
        "shape": list(form["shape"]), "storage": "uint8", "licence": "CC BY 4.0", "source": "drawn",
        "citation": f"A. Author, The {name} data, 1998, https://doi.org/10.24432/C50P49", "url": "https://example.org/data",
    }  # fmt: skip
    if "factors" in form:
        sizes = form["factors"]
        arrays["factors"] = np.stack(np.unravel_index(np.arange(n), sizes), 1).astype(np.int16)
        names = ["shape", "scale", "orientation", "pos_x", "pos_y"]
        meta |= {"factor_names": names, "factor_sizes": list(sizes), "grid": True}
    else:
        arrays |= {
            "labels": rng.integers(0, 10, n),
            "split": np.where(np.arange(n) % 5 == 0, 2, 0).astype(np.uint8),
        }
        meta |= {"test_fraction": 0.2, "label_names": [str(digit) for digit in range(10)]}
    store.write_ready(name, **arrays, meta=meta)


def _place(trial: Trial, rng: np.random.Generator) -> tuple[float, float]:
    """Rate and distortion of a trained trial: D falls exponentially with R, from the ceiling to the floor."""
    form = FORMS[trial.dataset]
    noise = rng.normal(0, 0.015)
    if trial.untrained:
        return 0.03 + 0.01 * abs(noise), form["blank"] * (1 + 0.05 * noise)
    family, x = family_class(trial.family), strength(trial)
    if family.deterministic:
        rate = np.inf
    elif family.target is not None:
        rate = x
    else:
        rate = 19.0 if family.strength is None else 19.0 * x ** -{"beta_vae": 0.6}.get(trial.family, 0.35)
    rate *= 1 + noise
    burden = {"factor_vae": 1.1, "annealed_vae": 1.05}.get(trial.family, 1.0)
    return rate, float(
        form["floor"] + burden * (form["ceiling"] - form["floor"]) * np.exp(-rate / 7) * (1 + noise)
    )


def _scores(
    trial: Trial, rate: float, distortion: float, ready: Ready, rng: np.random.Generator
) -> dict[str, float]:
    dimensions = int(np.prod(ready.shape))
    gain = 0.0 if trial.untrained else {"ae": 0.02, "vae": 0.08, "annealed_vae": 0.2}.get(trial.family, 0.25)
    values = {
        "distortion": distortion, "distortion_standard_error": 0.1, "mse": distortion / 40 / dimensions,
        "psnr": 10 * np.log10(40 * dimensions / distortion), "rate": rate,
        **{f"rate_{latent}": rate / 10 for latent in range(10)},
        "active_units": float(rng.integers(4, 11)), "negative_elbo": rate + distortion,
        "bits_per_dim": (rate + distortion) / dimensions / np.log(2),
    }  # fmt: skip
    if ready.factors is not None:
        mig = 0.01 + gain * rng.uniform(0.6, 1.2)
        values |= {
            "mig": mig,
            "beta_vae_score": min(1, 0.45 + 1.6 * mig),
            "mig_pos_x": mig,
            "beta_vae_score_train": 0.9,
        }
    if ready.labels is not None:
        values |= {"logistic_accuracy": 0.75 + 0.7 * gain + rng.normal(0, 0.01)}
    return values


def _rows(trial: Trial, values: dict[str, float], params: Params) -> list[dict[str, Any]]:
    import json

    common = {
        "dataset": trial.dataset, "family": trial.family, "key": trial.key, "seed": trial.seed,
        "setting": json.dumps(dict(trial.hyper)), "x": strength(trial), "untrained": trial.untrained,
    }  # fmt: skip
    splits = ("train", "test") if trial.dataset == "digits" else ("all",)
    return [
        {
            **common,
            "split": split,
            "metric": metric,
            "value": float(value) * (0.97 if split == "train" else 1),
        }
        for metric, value in values.items()
        for split in splits
        if any(metric.startswith(name) for name in params.evaluation.metrics)
    ]


def _write_run(
    store: Store, trial: Trial, status: str, rate: float, distortion: float, rng: np.random.Generator
) -> None:
    folder = store.run(trial.dataset, trial.key)
    folder.mkdir(parents=True)
    write_json(folder / "config.json", trial.config())
    steps = np.arange(50, trial.training.steps + 1, 50)
    rise, target = 1 - np.exp(-steps / 180), family_class(trial.family).target
    history = {
        "step": steps,
        "distortion": distortion + (FORMS[trial.dataset]["blank"] - distortion) * np.exp(-steps / 90),
    }
    history["rate"] = (rate if np.isinf(rate) else rate * rise) + rng.normal(0, 0.1, len(steps))
    if target is not None:
        history[target] = np.asarray([float(schedule(trial.hyper[target])(int(step))) for step in steps])
        history["rate"] = history[target] * (1 + rng.normal(0, 0.02, len(steps)))
    history["loss"] = history["distortion"] + history["rate"]
    with atomic(folder / "history.parquet") as temporary:
        pd.DataFrame(history).to_parquet(temporary, index=False)
    (folder / "model.safetensors").write_bytes(b"weights")
    result = {
        "status": status, "diverged_at": 137 if status == "diverged" else None, "steps": trial.training.steps,
        "seconds": 12.5 + trial.seed, "images_per_second": 5120.0 if trial.training.steps else None,
        "interruptions": 0, "device": "cpu", "threads": 1, "precision": "float32", "machine": MACHINE,
        "finished": "2026-11-20T12:00:00+00:00",
    }  # fmt: skip
    store.write_result(
        trial.dataset, trial.key, result, ("config.json", "history.parquet", "model.safetensors")
    )


def _write_failure(store: Store, trial: Trial) -> None:
    write_json(
        store.run(trial.dataset, trial.key) / "failure.json",
        {
            "trial": trial.name,
            "reason": "RuntimeError: CUDA out of <memory>",
            "detail": "Traceback ...\n  line 7",
            "attempts": 3,
            "at": "2026-11-20T12:00:00+00:00",
        },
    )


def _write_pictures(store: Store, trial: Trial, ready: Ready, rng: np.random.Generator) -> None:
    size = ready.shape[1]
    for name, rows in {"reconstructions": 4, "traversals": 10}.items():
        picture = Image.fromarray(rng.integers(0, 256, (rows * size, 10 * size), dtype=np.uint8))
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        path = store.scores(trial.dataset) / trial.key / f"{name}.png"
        with atomic(path) as temporary:
            temporary.write_bytes(buffer.getvalue())

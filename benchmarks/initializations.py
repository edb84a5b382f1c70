"""What a network's first weights do to what it learns: ``python -m benchmarks.initializations``.

A ``vae`` on the full redrawn dSprites (737,280 images) from each of ``vaecore.initializations``, by the settings of disentangling-vae:
Bernoulli, 10 latents, Adam at 5e-4, batches of 64, β from 0 to 1 over 10,000 steps. Recorded are the means of distortion, rate and their
sum, the negative ELBO, over the last ``--every`` steps before each record, in nats; in float32 or bfloat16, as the device computes.

Writes benchmarks/results/initializations-<device>-<date>.json after every run; a run that was written is not done again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from benchmarks import machine, sprites, study_model
from benchmarks.table import table
from vaecore import families, initializations
from vaecore.batch import Sampler
from vaecore.images import Images
from vaecore.training import Settings, Training, train

__all__ = ["main"]

LATENTS = 10
BATCH_SIZE = 64
LEARNING_RATE = 5e-4
BETA = {"schedule": "linear", "from": 0, "to": 1, "steps": 10_000}


def learn(
    network: str, initialization: str, seed: int, data: Sampler, settings: argparse.Namespace
) -> list[dict[str, float]]:
    """Step, distortion, rate and negative ELBO at every record."""
    hyper = {"beta": BETA}
    family = families.build(
        "beta_vae",
        image_shape=data.images.shape,
        latents=LATENTS,
        network=network,
        initialization=initialization,
        likelihood="bernoulli",
        dataset_size=len(data),
        hyper=hyper,
        seed=seed,
    )
    course = Settings(
        steps=settings.steps,
        batch_size=BATCH_SIZE,
        learning_rate=LEARNING_RATE,
        record_every=settings.every,
    )
    rows = train(Training(family, data, course, hyper, seed=seed, device=settings.device))
    return [
        {"step": step, "distortion": D, "rate": R, "negative_elbo": D + R}
        for step, row in rows
        for D, R in [(row["distortion"], row["rate"])]
    ]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.initializations", description=__doc__.split("\n")[0]
    )
    known = initializations.names()
    parser.add_argument("--networks", nargs="+", default=["burgess", "conv"], metavar="NETWORK")
    parser.add_argument(
        "--initializations", nargs="+", choices=known, default=known, metavar="INITIALIZATION"
    )
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--every", type=int, default=500, help="steps of a record")
    parser.add_argument("--images", type=int, default=sprites.TOTAL, help="of dSprites, evenly spaced")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=["cpu", "cuda"], help="cuda where there is one")
    parser.add_argument("--out", type=Path, help="folder of the JSON file, instead of benchmarks/results")
    settings = parser.parse_args(arguments)
    settings.device = settings.device or ("cuda" if torch.cuda.is_available() else "cpu")
    return settings


def main(arguments: Sequence[str] | None = None) -> Path:
    """Train, print, write; the JSON file's path."""
    settings = parse(arguments)
    torch.set_num_threads(settings.threads)
    described = machine.describe(settings.device)
    path = machine.result_path("initializations", described, ".json", settings.out)
    chosen = {name: value for name, value in vars(settings).items() if name in ("steps", "every", "images")}
    runs: list[dict[str, Any]] = []
    if path.exists() and (before := json.loads(path.read_text()))["settings"] == chosen:
        runs = before["runs"]
    done = {(run["network"], run["initialization"], run["seed"]) for run in runs}
    data = Sampler(Images(torch.from_numpy(sprites.draw(settings.images)), study_model.IMAGE_SHAPE))
    for seed in range(settings.seeds):
        for network in settings.networks:
            for initialization in settings.initializations:
                if (network, initialization, seed) in done:
                    continue
                records = learn(network, initialization, seed, data, settings)
                runs.append(
                    {"network": network, "initialization": initialization, "seed": seed, "records": records}
                )
                content = {
                    "benchmark": "initializations",
                    "machine": described,
                    "settings": chosen,
                    "runs": runs,
                }
                path.write_text(json.dumps(content, indent=1) + "\n")
                last = records[-1]
                print(
                    f"{network} {initialization} seed {seed}: "
                    + ", ".join(
                        f"{name} {last[name]:.1f}" for name in ("distortion", "rate", "negative_elbo")
                    ),
                    flush=True,
                )
    print(summary(runs))
    print(f"written: {path}")
    return path


def summary(runs: Sequence[dict[str, Any]]) -> str:
    """A row per network and initialization: means over seeds at the last record."""
    rows = []
    for network, initialization in dict.fromkeys((run["network"], run["initialization"]) for run in runs):
        last = [
            run["records"][-1]
            for run in runs
            if (run["network"], run["initialization"]) == (network, initialization)
        ]
        means = [mean(record[name] for record in last) for name in ("distortion", "rate", "negative_elbo")]
        rows.append([f"{network} {initialization}", f"{len(last)}", *(f"{value:.1f}" for value in means)])
    return table(["nats, means over the last record", "seeds", "distortion", "rate", "−ELBO"], rows)


if __name__ == "__main__":
    main()

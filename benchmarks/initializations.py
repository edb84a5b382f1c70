"""The effect of a network's initial weights on training: ``python -m benchmarks.initializations``.

Trains a ``vae`` on the full redrawn dSprites (737,280 images) from each of ``vaecore.initializations``, with
the settings of disentangling-vae: Bernoulli pixels, 10 latents, Adam at 5e-4, batches of 64, β from 0 to 1
over 10,000 steps. A record has the means of distortion, rate and their sum, the negative ELBO, over the last
``--every`` steps, in nats. The precision is the one that ``auto`` chooses for the device.

Writes benchmarks/results/initializations-<device>-<date>.json after every run, and does not repeat the runs
in it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from benchmarks import command, machine, sprites, study_model
from benchmarks.disentangling_vae import BATCH_SIZE, LOGGED, build
from benchmarks.table import table
from vaecore import initializations
from vaecore.batch import Sampler
from vaecore.images import Images
from vaecore.training import Settings, Training, train

__all__ = ["main"]


def learn(
    network: str, initialization: str, seed: int, data: Sampler, settings: argparse.Namespace
) -> list[dict[str, float]]:
    """Step, distortion, rate and negative ELBO of every record."""
    logged = LOGGED["vae"]
    family = build("vae", data, seed, network=network, initialization=initialization)
    course = Settings(
        steps=settings.steps,
        batch_size=BATCH_SIZE,
        learning_rate=logged.learning_rate,
        record_every=settings.every,
    )
    rows = train(Training(family, data, course, logged.hyper, seed=seed, device=settings.device))
    return [
        {"step": step, "distortion": D, "rate": R, "negative_elbo": D + R}
        for step, row in rows
        for D, R in [(row["distortion"], row["rate"])]
    ]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = command.parser("initializations", __doc__, "images", "device", "out", images=sprites.TOTAL)
    known = initializations.names()
    parser.add_argument("--networks", nargs="+", default=["burgess", "conv"], metavar="NETWORK")
    parser.add_argument(
        "--initializations", nargs="+", choices=known, default=known, metavar="INITIALIZATION"
    )
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--every", type=int, default=500, help="steps of a record")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args(arguments)


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
                command.write(path, content)
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

"""The candidates for packing: stacked models have the losses of single ones, and the command runs."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks import machine, packing, study_model
from benchmarks.contestants import Spec, prepare
from benchmarks.reference import Loop
from vaecore.schedules import schedule

SPEC = Spec(contestant="stacked", family="vae", device="cpu", precision="float32", chunk=1, pack=3)


@pytest.mark.parametrize(("network", "side"), [("mlp", 8), ("conv", 16)])
@pytest.mark.parametrize("family", study_model.FAMILIES)
def test_a_stack_gives_every_model_the_losses_it_has_alone(
    family: str, network: str, side: int, images: Path
):
    stacked = prepare(replace(SPEC, family=family, network=network, side=side), images)
    loops = []
    for seed in range(3):
        model = stacked._objective(replace(SPEC, family=family, network=network, side=side), seed).model
        loops.append(Loop(family, model, 130, study_model.LEARNING_RATE))
    hyper = {name: float(schedule(value)(1)) for name, value in study_model.FAMILIES[family].items()}
    generator = torch.Generator().manual_seed(0)
    for _ in range(4):
        x = torch.rand(3, 16, 1, side, side, generator=generator)
        noise = {
            "posterior": torch.randn(3, 16, 10, generator=generator),
            "permutation": torch.rand(3, 16, 10, generator=generator),
        }
        losses = stacked.step(x, noise)
        for m, loop in enumerate(loops):
            terms = loop.step(x[m], {name: value[m] for name, value in noise.items()}, hyper)
            alone = terms["loss"] + terms.get("critic_objective", 0)
            # float32, products summed in another order, after up to three steps of Adam
            torch.testing.assert_close(losses[m], alone, rtol=1e-4, atol=1e-4)


def test_one_command_measures_the_candidates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine, "cores", lambda: 1)  # two threads are slow beside other tests
    options = ["--device", "cpu", "--networks", "mlp", "--models", "1", "2", "--seconds", "0.01"]
    options += ["--rounds", "1", "--chunk", "1", "--images", "130", "--out", str(tmp_path)]
    written = json.loads(packing.main(options).read_text())
    rows = written["results"]["mlp vae"]
    assert {(row["candidate"], row["models"]) for row in rows} == {
        ("turns", 1),
        ("turns", 2),
        ("stacked", 1),
        ("stacked", 2),
        ("processes", 2),
    }
    assert all(row["failed"] is None and math.isfinite(row["rate"]) and row["rate"] > 0 for row in rows)

"""The fast path against the plain float32 loop, at small size, with equal weights, batches and noise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import command, machine, parity, sprites, study_model
from benchmarks.curves import Course, Curves, curves
from benchmarks.reference import WITH_CRITIC
from benchmarks.seed_noise import compare

STEPS, EVERY = 60, 5


@pytest.fixture(scope="module")
def references() -> dict[tuple[str, str], Curves]:
    return {}


def both(
    name: str, network: str, precision: str, images: Path, references: dict[tuple[str, str], Curves]
) -> tuple[Curves, Curves]:
    data = sprites.packed(images, 16 if network == "conv" else 8)
    course = Course(STEPS, EVERY, precision, network=network, batch_size=32)
    if (name, network) not in references:
        references[name, network] = curves("reference", name, data, 3, course)
    return curves("fast", name, data, 3, course), references[name, network]


def gap(fast: Curves, reference: Curves, term: str, rows: slice = slice(None)) -> float:
    """The largest difference in nats."""
    return float(np.abs(np.array(fast[term]) - np.array(reference[term]))[rows].max())


@pytest.mark.parametrize("network", ["mlp", "conv"])
@pytest.mark.parametrize("name", study_model.FAMILIES)
def test_in_float32_curves_are_equal_within_rounding(name: str, network: str, images: Path, references: dict):
    fast, reference = both(name, network, "float32", images, references)
    assert fast["step"] == reference["step"] == list(range(EVERY, STEPS + 1, EVERY))
    terms = set(fast) & set(reference) - {"step"}
    assert {"loss", "distortion", "rate"} <= terms
    # float32 rounds losses of 200 nats at 1e-5. Adam divides every gradient by its size, so it amplifies the
    # rounding of gradients near zero with every step. FactorVAE's critic amplifies most: the plain loops in
    # float32 and in float64 differ by as much (4e-3 nats of total correlation after 40 steps, which γ
    # multiplies by 10 in the loss)
    critic = name in WITH_CRITIC
    for term in terms:
        assert gap(fast, reference, term, slice(1)) < (5e-3 if critic else 1e-4), term
        allowed = 1e-3 if not critic else 0.3 if term == "loss" else 0.03
        assert gap(fast, reference, term) < allowed, term


@pytest.mark.parametrize("network", ["mlp", "conv"])
@pytest.mark.parametrize("name", study_model.FAMILIES)
def test_in_bfloat16_curves_stay_close(name: str, network: str, images: Path, references: dict):
    fast, reference = both(name, network, "bfloat16", images, references)
    # Products are rounded at 2^-9, a relative 0.002 each, at random; sums of hundreds of them are far more
    # precise. A systematic error would show in the distortion, which falls by 10 nats or more here. The
    # losses contain rate and total correlation times γ
    assert gap(fast, reference, "distortion") < 0.05
    assert gap(fast, reference, "rate") < 0.02
    assert gap(fast, reference, "loss") < 0.3
    assert reference["distortion"][0] - reference["distortion"][-1] > 5


def test_curves_of_one_distribution_are_within_seed_noise():
    rng = np.random.default_rng(0)
    steps = np.arange(50, 2001, 50)
    verdicts = []
    for _ in range(100):
        a, b = ({"loss": rng.normal(size=(4, 40)).cumsum(1)} for _ in range(2))
        verdicts.append(compare(steps, a, b)["within_seed_noise"])
    assert np.mean(verdicts) > 0.9  # of 35 splits one may be rejected: 97 % in expectation


def test_a_shift_beyond_the_seeds_is_detected():
    rng = np.random.default_rng(1)
    steps = np.arange(50, 2001, 50)
    noise = rng.normal(size=(2, 5, 40))
    found = compare(steps, {"loss": noise[0] + 8}, {"loss": noise[1]})
    assert found["within_seed_noise"] is False
    assert found["p"] == pytest.approx(1 / 126)
    assert found["terms"]["loss"]["rms_nats"] == pytest.approx(8, rel=0.1)
    assert found["terms"]["loss"]["points"] == 38  # of 40 records; the first 5 % of the steps are left out


def test_three_seeds_give_no_verdict():
    rng = np.random.default_rng(2)
    found = compare(np.arange(10), *({"loss": rng.normal(size=(3, 10))} for _ in range(2)))
    assert found["within_seed_noise"] is None


def test_the_command_trains_compares_and_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(command, "SCRATCH", tmp_path / "scratch")
    monkeypatch.setattr(machine, "cores", lambda: 1)  # two threads are slow beside other tests
    options = ["--families", "vae", "--seeds", "4", "--steps", "4", "--every", "2", "--images", "100"]
    options += ["--processes", "1", "--device", "cpu", "--out", str(tmp_path)]
    path = parity.main(options)
    written = json.loads(path.read_text())
    assert written["families"]["vae"]["comparison"]["within_seed_noise"] is True
    assert np.array(written["families"]["vae"]["curves"]["fast"]["loss"]).shape == (4, 2)
    next((tmp_path / "scratch").rglob("vae-fast-2.json")).unlink()
    capsys.readouterr()
    assert json.loads(parity.main(options).read_text())["families"] == written["families"]
    said = capsys.readouterr()
    assert "7 of 8 runs were done before" in said.out
    assert "1 of 1" in said.err
    assert "within seed noise" in said.out

"""ControlVAE's controller: its equation by hand, its anti-windup, and the rate that it holds."""

from __future__ import annotations

import math

import pytest
import torch

from tests.vaecore.digits import learn
from tests.vaecore.small import batch, evaluate, make

GAINS = {"proportional": 0.01, "integral": 0.001}


def moved(errors: list[float], **hyper: float) -> list[float]:
    """β after each of these errors."""
    family = make("control_vae", **(GAINS | hyper))
    found = []
    for error in errors:
        family.update({"rate_error": torch.tensor(error)})
        found.append(family.beta.item())
    return found


def test_beta_is_the_papers_equation():
    errors = [-3.0, -1.0, 0.5, -2.0]
    expected = [
        0.01 / (1 + math.exp(error)) - 0.001 * sum(errors[: place + 1]) + 0.5
        for place, error in enumerate(errors)
    ]
    assert moved(errors, beta_min=0.5) == pytest.approx(expected, rel=1e-5)


def test_beta_stays_between_its_bounds_and_turns_at_once():
    """A thousand steps at a bound leave nothing to undo."""
    low = moved([30.0] * 1000 + [-1.0])
    assert low[-2] == 0
    assert low[-1] > 0, "the rate is above its target: β rises in that very step"
    high = moved([-30.0] * 1000 + [1.0], beta_max=2)
    assert high[-2] == 2
    assert high[-1] < 2
    assert all(0 <= beta <= 2 for beta in high)


def test_the_losss_beta_depends_on_earlier_steps():
    family = make("control_vae")
    family.beta.fill_(3.0)
    terms = evaluate(family, batch(), capacity=7.0)
    torch.testing.assert_close(terms["loss"], terms["distortion"] + 3 * terms["rate"])
    torch.testing.assert_close(terms["rate_error"], 7 - terms["rate"].mean())
    assert not terms["rate_error"].requires_grad
    family.update(terms)
    assert terms["beta"] == 3, "the recorded β is that of the step"
    assert family.beta != 3


@pytest.mark.parametrize("target", [3.0, 6.0, 10.0])
def test_the_rate_is_held_within_five_percent(target):
    _, rows = learn("control_vae", steps=3000, capacity=target)
    assert rows[-1][1]["rate"] == pytest.approx(target, rel=0.05), "mean of the last 500 steps"

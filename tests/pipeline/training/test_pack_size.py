"""The number of trials side by side is found by the rates alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.training.pack_size import Growth


def found(rate: Callable[[int], float], largest: int, *, rounds: int = 60) -> list[int]:
    """The sizes that were tried, where n trials together take ``rate(n)`` images/s and a round takes a second."""
    growth, sizes = Growth(largest), []
    for _ in range(rounds):
        if [growth.size] != sizes[-1:]:
            sizes.append(growth.size)
        growth.measured(growth.size, round(rate(growth.size)), 1.0)
    assert growth.settled
    return sizes


@pytest.mark.parametrize(
    ("rate", "largest", "sizes"),
    [
        (lambda n: 1000 * min(n, 8), 64, [1, 2, 4, 8, 16, 8]),  # the device is busy with 8
        (lambda n: 1000 * n, 64, [1, 2, 4, 8, 16, 32, 64]),
        (lambda n: 1000 * n, 6, [1, 2, 4, 6]),
        (lambda n: 1000, 64, [1, 2, 1]),  # a CPU
        (lambda n: 1000 / n, 64, [1, 2, 1]),
        (lambda n: 1000 * n, 1, [1]),
        (lambda n: 1000 * (1 + 0.11 * (n > 1)), 8, [1, 2, 4, 2]),  # a tenth is enough
        (lambda n: 1000 * (1 + 0.09 * (n > 1)), 8, [1, 2, 1]),  # and less is not
    ],
)
def test_it_doubles_while_that_pays(rate: Callable[[int], float], largest: int, sizes: list[int]):
    assert found(rate, largest) == sizes


def test_a_short_round_or_one_with_others_tells_nothing():
    growth = Growth(8)
    for _ in range(10):
        growth.measured(1, 10, 0.05)  # half a second in all
    growth.measured(3, 10**9, 100.0)
    assert (growth.size, growth.settled) == (1, False)
    for _ in range(10):
        growth.measured(1, 10, 0.05)
    assert growth.size == 2


def test_a_given_number_stays():
    growth = Growth(5, fixed=True)
    growth.measured(5, 1, 100.0)
    assert growth.size == 5


@pytest.mark.parametrize("fixed", [True, False])
def test_memory_ends_the_growth(fixed: bool):
    growth = Growth(8, fixed=fixed)
    growth.stop(3)
    assert growth.size == (3 if fixed else 1)
    for _ in range(20):
        growth.measured(growth.size, 10**6 * growth.size, 10.0)
    assert growth.size <= 3
    growth.stop(0)
    assert growth.size == 1

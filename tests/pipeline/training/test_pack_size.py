"""The number of trials side by side is found from the measured rates alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.training.pack_size import PackSize


def found(rate: Callable[[int], float], largest: int, *, rounds: int = 60) -> list[int]:
    """The sizes that are tried if n trials together process ``rate(n)`` images/s and a round takes 1 s."""
    size, sizes = PackSize(largest), []
    for _ in range(rounds):
        if [size.current] != sizes[-1:]:
            sizes.append(size.current)
        size.record_round(size.current, round(rate(size.current)), 1.0)
    assert size.settled
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


def test_a_short_round_or_one_of_another_size_is_not_counted():
    size = PackSize(8)
    for _ in range(10):
        size.record_round(1, 10, 0.05)  # half a second in all
    size.record_round(3, 10**9, 100.0)
    assert (size.current, size.settled) == (1, False)
    for _ in range(10):
        size.record_round(1, 10, 0.05)
    assert size.current == 2


def test_a_given_number_stays():
    size = PackSize(5, fixed=True)
    size.record_round(5, 1, 100.0)
    assert size.current == 5


@pytest.mark.parametrize("fixed", [True, False])
def test_memory_limits_the_size(fixed: bool):
    size = PackSize(8, fixed=fixed)
    size.limit(3)
    assert size.current == (3 if fixed else 1)
    for _ in range(20):
        size.record_round(size.current, 10**6 * size.current, 10.0)
    assert size.current <= 3
    size.limit(0)
    assert size.current == 1

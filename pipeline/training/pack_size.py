"""Find the number of trials to train side by side from the measured images per second.

    size n = 1, 2, 4, ...        while r(2n) ≥ 1.1 r(n),    r(n): images/s of n trials together

A device that a single trial leaves idle trains a second one at almost no cost. From some number on it is
busy, and further trials only use memory. The size is doubled until doubling no longer pays; then the last
size that paid stays.
"""

from __future__ import annotations

__all__ = ["PackSize"]

GAIN = 1.1
"""Doubling the size is kept if it raises the images/s at least by this factor."""
ROUNDS, SECONDS = 2, 1.0
"""Least number of rounds, and least time, over which a rate is measured."""


class PackSize:
    """The number of trials to train side by side, ``current``, between 1 and ``largest``."""

    def __init__(self, largest: int, *, fixed: bool = False) -> None:
        """``fixed``: the size is ``largest`` from the start, and no rate is measured."""
        self.largest = largest
        self.current = largest if fixed else 1
        self.settled = fixed or largest == 1
        self._before: tuple[int, float] = (1, 0.0)  # the previous size and its rate
        self._measured = (0, 0, 0.0)  # rounds, images, seconds at this size

    def record_round(self, trials: int, images: int, seconds: float) -> None:
        """Account for a round in which ``trials`` side by side processed ``images`` in ``seconds``."""
        if self.settled or trials != self.current:
            return
        rounds, all_images, all_seconds = self._measured
        rounds, all_images, all_seconds = rounds + 1, all_images + images, all_seconds + seconds
        self._measured = rounds, all_images, all_seconds
        if rounds < ROUNDS or all_seconds < SECONDS:
            return
        rate = all_images / all_seconds
        size_before, rate_before = self._before
        if rate < GAIN * rate_before:
            self.limit(size_before)
        elif self.current == self.largest:
            self.settled = True
        else:
            self._before, self._measured = (self.current, rate), (0, 0, 0.0)
            self.current = min(2 * self.current, self.largest)

    def limit(self, size: int) -> None:
        """Stop growing, and keep to at most ``size`` trials from now on."""
        self.current = self.largest = min(self.current, max(1, size))
        self.settled = True

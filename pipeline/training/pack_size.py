"""How many trials train side by side, where nobody can know the best number beforehand.

    size n = 1, 2, 4, ...        while r(2n) ≥ 1.1 r(n),    r(n): images/s of n trials together

A device that a single trial leaves idle takes a second one for almost nothing; at some number it is busy, and more of them only take memory.
The number that paid last stays.
"""

from __future__ import annotations

__all__ = ["Growth"]

GAIN = 1.1
"""What doubling the number must do to the sum of images/s to be kept."""
ROUNDS, SECONDS = 2, 1.0
"""A rate is measured over at least so much."""


class Growth:
    """The number of trials to train side by side, ``size``, from 1 to ``largest``, by the rates that it is told."""

    def __init__(self, largest: int, *, fixed: bool = False) -> None:
        """``fixed``: ``largest`` it is."""
        self.largest = largest
        self.size = largest if fixed else 1
        self.settled = fixed or largest == 1
        self._before: tuple[int, float] = (1, 0.0)  # the size before this one, and its rate
        self._measured = (0, 0, 0.0)  # rounds, images, seconds at this size

    def measured(self, together: int, images: int, seconds: float) -> None:
        """In ``seconds``, ``together`` trials took ``images`` images."""
        if self.settled or together != self.size:
            return
        rounds, all_images, all_seconds = self._measured
        self._measured = rounds, all_images, all_seconds = (
            rounds + 1,
            all_images + images,
            all_seconds + seconds,
        )
        if rounds < ROUNDS or all_seconds < SECONDS:
            return
        rate = all_images / all_seconds
        size_before, rate_before = self._before
        if rate < GAIN * rate_before:
            self.stop(size_before)
        elif self.size == self.largest:
            self.settled = True
        else:
            self._before, self._measured = (self.size, rate), (0, 0, 0.0)
            self.size = min(2 * self.size, self.largest)

    def stop(self, size: int) -> None:
        """No more than ``size`` from now on."""
        self.size = self.largest = min(self.size, max(1, size))
        self.settled = True

"""The revision of the engine: one number in every trial's key.

A trial's key contains the file of each member that the trial uses (family, network, likelihood, ...) and this
number, which stands for the code that members share: training, autoencoder, layers, divergences, images.
Raise it by one when this code computes other numbers: every trial is then trained anew. Do not raise it for a
change that keeps every number (a refactoring, a new member, a memory fix): nothing is retrained.
``tests/vaecore/test_golden.py`` holds the numbers, and its message says when to raise it.
"""

from __future__ import annotations

__all__ = ["REVISION"]

REVISION = 1

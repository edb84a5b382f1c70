"""The revision of the engine: one number in every trial's key.

A trial's key has the file of each member that the trial uses (family, network, likelihood, ...) and this number, which stands for all
that members share: training, autoencoder, layers, divergences, images. Raise it by one when what they compute changes: then every trial
is trained anew. A change that leaves every number as it is (a refactoring, a new member, a memory fix) leaves it alone, and retrains
nothing. ``tests/vaecore/test_golden.py`` holds the numbers, and says when to raise it.
"""

from __future__ import annotations

__all__ = ["REVISION"]

REVISION = 1

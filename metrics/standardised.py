"""Codes scaled to mean 0 and standard deviation 1; a constant code becomes 0.

    z'_j = ( z_j − m_j ) / s_j

m_j, s_j     mean and standard deviation (1/N) of code j over the training rows
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["standardised", "varying"]


def varying(z: NDArray[Any]) -> NDArray[np.bool_]:
    """Codes [N, L] -> which of them vary [L]. A code that varies in its last digits only is constant."""
    low, high = z.min(axis=0).astype(np.float64), z.max(axis=0).astype(np.float64)
    return high - low > 8 * np.finfo(z.dtype).eps * np.maximum(np.abs(low), np.abs(high))


def standardised(z: NDArray[Any], trained: NDArray[Any] | slice = slice(None)) -> NDArray[np.float64]:
    """Codes [N, L] with mean 0 and standard deviation 1 over the rows `trained`; 0 if a code is constant
    there.
    """
    low, high = z[trained].min(axis=0).astype(np.float64), z[trained].max(axis=0).astype(np.float64)
    varies = varying(z[trained])
    # First to [0, 1], where neither an offset nor a tiny scale costs digits.
    standard = np.where(varies, (z - low) / np.where(varies, high - low, 1), 0.0)
    standard -= standard[trained].mean(axis=0)
    standard /= np.where(varies, standard[trained].std(axis=0), 1)
    standard[:, ~varies] = 0
    return standard

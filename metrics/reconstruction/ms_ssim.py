"""Multi-scale structural similarity: structure is compared at every resolution, luminance at the coarsest.

    MS-SSIM = 1/N Σ_n ( ℓs_nM )^w_M  Π_{m<M} ( s_nm )^w_m

s_nm       contrast and structure of image n at scale m (see `ssim`), the mean over places and channels;
           scale m has its height and width halved m − 1 times, by averages over 2 × 2 pixels
ℓs_nM      luminance × contrast × structure at the last scale, the same mean: SSIM at that scale
w          0.0448, 0.2856, 0.3001, 0.2363, 0.1333: the paper's five scales

A pure number between 0 and 1 (identical images); higher is better. A negative mean counts as 0, since its
power is no real number: an image whose structure is inverted at any scale scores 0.

Five scales need 176 × 176 pixels, so that the window of 11 pixels fits at the last scale. A smaller image has
the scales that fit, with their weights divided by their sum: 64 × 64 has three (0.0711, 0.4530, 0.4760), 32 ×
32 has two, and below 22 × 22 there is one, which is SSIM with negative images counted as 0. So compare values
within one size of image only.

A reconstruction that leaves [0, 1] is not clipped.

Z. Wang, E. P. Simoncelli, A. C. Bovik, "Multiscale Structural Similarity for Image Quality Assessment",
Asilomar Conference on Signals, Systems and Computers, 2003, doi:10.1109/ACSSC.2003.1292216. Means before
powers: as in the authors' msssim.m.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from metrics.structural_similarity import similarities

__all__ = ["ms_ssim"]

TITLE = "Multi-scale structural similarity"
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
BLIND_TO = (
    "Brightness, but for the coarsest scale, and colour: channels are compared one by one. An empty "
    "background that comes back empty counts as perfect."
)
COST = "O(N·D), D values per image: at most 4/3 of SSIM."

_WEIGHTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])


def ms_ssim(images: ArrayLike, reconstructions: ArrayLike) -> dict[str, float]:
    """Images and reconstructions [N, C, H, W] -> {"ms_ssim"}, a mean over images; 1 if they are identical.

    Raises ValueError when the shapes differ, an image leaves [0, 1] or a reconstruction is not finite.
    """
    structure, whole = similarities(images, reconstructions, most=len(_WEIGHTS))
    structure[:, -1] = whole
    weights = _WEIGHTS[: structure.shape[1]]
    weights = weights / weights.sum()
    return {"ms_ssim": float(np.prod(np.maximum(structure, 0) ** weights, axis=1).mean())}

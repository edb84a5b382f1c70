"""Structural similarity of the reconstructions: luminance, contrast and structure, compared place by place.

    SSIM = 1/N Σ_n 1/P Σ_p ℓ_np s_np
    ℓ    = ( 2 μ_x μ_y + C₁ ) / ( μ_x² + μ_y² + C₁ ),    s = ( 2 σ_xy + C₂ ) / ( σ_x² + σ_y² + C₂ )

x, y       images and reconstructions [N, C, H, W] in [0, 1]
μ, σ       mean, variances and covariance under a Gaussian window of 11 × 11 pixels, σ = 1.5
p          one of the P places where the window fits, in each channel
C₁, C₂     0.01², 0.03²

A pure number, at most 1 (identical images), negative if light and dark are swapped; higher is better. Images
narrower than 11 pixels get the largest odd window that fits (8 × 8: 7 × 7), with σ in proportion; this is a
rule of this project. The value is equal to that of scikit-image with gaussian_weights=True,
use_sample_covariance=False, data_range=1.

A reconstruction that leaves [0, 1] (a Gaussian mean may) is not clipped, as in MSE.

Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image Quality Assessment: From Error Visibility to
Structural Similarity", IEEE Transactions on Image Processing 13(4), 2004, doi:10.1109/TIP.2003.819861.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from metrics.structural_similarity import similarities

__all__ = ["ssim"]

TITLE = "Structural similarity"
UNIT = ""
HIGHER_IS_BETTER = True
RANGE = (-1.0, 1.0)
BLIND_TO = (
    "Anything wider than its window, and colour: channels are compared one by one. An empty background that "
    "comes back empty counts as perfect, so small objects can be wrong at little cost."
)
COST = "O(N·D), D values per image: two convolutions with 11 weights of four maps."


def ssim(images: ArrayLike, reconstructions: ArrayLike) -> dict[str, float]:
    """Images and reconstructions [N, C, H, W] -> {"ssim"}, a mean over images; 1 if they are identical.

    Raises ValueError when the shapes differ, an image leaves [0, 1] or a reconstruction is not finite.
    """
    _, whole = similarities(images, reconstructions)
    return {"ssim": float(whole.mean())}

"""What is known of an image besides its pixels, as one vector for encoder and decoder.

c = one-hot(label)                              [B, classes]
c = one-hot(v_1), one-hot(v_2), ... one-hot(v_K)    [B, Σ_k size_k], of the factors v
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vaecore.batch import Batch

__all__ = ["OneHot"]


class OneHot(nn.Module):
    """Labels, or factors, of a batch as one-hot vectors side by side."""

    numbers: Tensor
    columns: Tensor

    def __init__(self, what: str, sizes: Sequence[int]) -> None:
        """``what``: "labels" or "factors"; ``sizes``: how many values the label, or each factor, has."""
        super().__init__()
        self.what = what
        self.size = sum(sizes)
        # which value of which column of [B, K] each entry of the vector stands for
        numbers = torch.cat([torch.arange(size) for size in sizes])
        columns = torch.cat([torch.full((size,), k) for k, size in enumerate(sizes)])
        self.register_buffer("numbers", numbers, persistent=False)
        self.register_buffer("columns", columns, persistent=False)

    def forward(self, batch: Batch) -> Tensor:
        """float32 [B, size]."""
        known = batch.factors if self.what == "factors" else batch.label
        if known is None:
            raise ValueError(
                f"the batch has no {self.what}, which this family needs: give them to the sampler"
            )
        values = known if known.ndim == 2 else known[:, None]  # [B, K]
        return (values[:, self.columns] == self.numbers).float()

"""Labels or factors of images as one vector, on which encoder and decoder are conditioned.

c = one-hot(label)                                  [B, classes]
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

    def __init__(self, array: str, sizes: Sequence[int]) -> None:
        """``array``: "labels" or "factors"; ``sizes``: the label's or each factor's number of values."""
        super().__init__()
        self.array = array
        self.size = sum(sizes)
        # the value, and the column of [B, K], of each entry of the vector
        numbers = torch.cat([torch.arange(size) for size in sizes])
        columns = torch.cat([torch.full((size,), k) for k, size in enumerate(sizes)])
        self.register_buffer("numbers", numbers, persistent=False)
        self.register_buffer("columns", columns, persistent=False)

    def forward(self, batch: Batch) -> Tensor:
        """float32 [B, size]."""
        numbers = batch.factors if self.array == "factors" else batch.label
        if numbers is None:
            raise ValueError(
                f"the batch has no {self.array}, which this family needs: give them to the sampler"
            )
        values = numbers if numbers.ndim == 2 else numbers[:, None]  # [B, K]
        return (values[:, self.columns] == self.numbers).float()

"""The latest embeddings of a frozen teacher, as negatives of a contrastive loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class EmbeddingBank(nn.Module):
    """First in, first out: a buffer of vectors that is part of checkpoints, so that a resumed run has the same ones.

    Args:
        size: Number of vectors that are kept; 0 for none.
        dimension: Length D of a vector.
    """

    vectors: Tensor
    filled: Tensor

    def __init__(self, size: int, *, dimension: int) -> None:
        super().__init__()
        self.register_buffer("vectors", torch.zeros(size, dimension))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))

    def forward(self) -> Tensor:
        """Return a copy of the vectors that are there, (N, D), the latest first."""
        return self.vectors[: int(self.filled)].clone()

    @torch.no_grad()
    def add(self, vectors: Tensor) -> None:
        """Put vectors (N, D) at the front, in their order, and drop the oldest ones."""
        size = len(self.vectors)
        self.vectors.copy_(torch.cat([vectors.to(self.vectors), self.vectors])[:size])
        self.filled.copy_((self.filled + len(vectors)).clamp_max(size))

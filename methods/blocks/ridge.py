"""Closed-form starting values for linear maps between feature spaces."""

from __future__ import annotations

import torch
from torch import Tensor


class Ridge:
    """Least squares with a small penalty, from pairs that arrive in batches: y ≈ x·W + b.

    Args:
        penalty: added to the diagonal, as a fraction of the mean variance of x.
    """

    def __init__(self, *, penalty: float = 1e-2) -> None:
        self._penalty = penalty
        self._moments: list[Tensor] = []

    def add(self, x: Tensor, y: Tensor) -> None:
        """Count pairs in. x: (N, C); y: (N, D)."""
        ones = torch.cat([x.double(), torch.ones(len(x), 1, dtype=torch.float64, device=x.device)], dim=1)
        new = [ones.T @ ones, ones.T @ y.double()]
        self._moments = [old + more for old, more in zip(self._moments, new, strict=True)] if self._moments else new

    def solve(self) -> tuple[Tensor, Tensor]:
        """Weight (D, C) and bias (D,) as `nn.Linear` keeps them. Raises RuntimeError before any pair was added."""
        if not self._moments:
            raise RuntimeError("no pairs were added: give at least one batch")
        gram, cross = self._moments
        count, mean_x, mean_y = gram[-1, -1], gram[-1, :-1] / gram[-1, -1], cross[-1] / gram[-1, -1]
        covariance = gram[:-1, :-1] / count - torch.outer(mean_x, mean_x)
        shared = cross[:-1] / count - torch.outer(mean_x, mean_y)
        covariance.diagonal().add_(self._penalty * covariance.diagonal().mean())
        weight = torch.linalg.solve(covariance, shared).T
        return weight.float(), (mean_y - weight @ mean_x).float()

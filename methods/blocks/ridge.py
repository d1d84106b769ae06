"""Ridge regression, which gives starting values of linear maps between feature spaces."""

from __future__ import annotations

import torch
from torch import Tensor


class Ridge:
    """Least squares with a small penalty, y ≈ x·W + b, on pairs that arrive in batches.

    Args:
        penalty: Value added to the diagonal of the covariance, as a fraction of the mean variance of x.
    """

    def __init__(self, *, penalty: float = 1e-2) -> None:
        self._penalty = penalty
        self._moments: list[Tensor] = []

    def add(self, x: Tensor, y: Tensor) -> None:
        """Add N pairs.

        Args:
            x: (N, C).
            y: (N, D).
        """
        ones = torch.cat([x.double(), torch.ones(len(x), 1, dtype=torch.float64, device=x.device)], dim=1)
        new = [ones.T @ ones, ones.T @ y.double()]
        self._moments = [old + more for old, more in zip(self._moments, new, strict=True)] if self._moments else new

    def solve(self) -> tuple[Tensor, Tensor]:
        """Return the weight (D, C) and bias (D,) in the layout of `nn.Linear`.

        Raises:
            RuntimeError: No pairs were added.
        """
        if not self._moments:
            raise RuntimeError("no pairs were added: add at least one batch")
        # means and covariances in float64
        gram, cross = self._moments
        count, mean_x, mean_y = gram[-1, -1], gram[-1, :-1] / gram[-1, -1], cross[-1] / gram[-1, -1]
        covariance = gram[:-1, :-1] / count - torch.outer(mean_x, mean_x)  # (C, C)
        cross_covariance = cross[:-1] / count - torch.outer(mean_x, mean_y)  # (C, D)
        # penalized normal equations
        covariance.diagonal().add_(self._penalty * covariance.diagonal().mean())
        weight = torch.linalg.solve(covariance, cross_covariance).T
        return weight.float(), (mean_y - weight @ mean_x).float()

"""Gaussian filtering of points with many features on the permutohedral lattice (Adams et al., Eurographics 2010).

Every point is spread to the d + 1 corners of the simplex around it, the corners are blurred along the d + 1 directions
of the lattice, and every point collects the blurred values of its corners. The time is linear in the number of points,
while the sum over all pairs is quadratic; the result is an approximation.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

MAX_CODE = 2**62
"""Largest product of the numbers of lattice positions along all axes, which are packed in one integer."""


class SparseMatrix(NamedTuple):
    """A sparse matrix (R, C), whose products are read row by row.

    Attributes:
        columns: (M,) columns of the entries, those of the first row first.
        entries: (M,).
        starts: (R,) position of the first entry of each row.
    """

    columns: Tensor
    entries: Tensor
    starts: Tensor

    def __matmul__(self, dense: Tensor) -> Tensor:
        """Multiply with a dense matrix (C, K): (R, K)."""
        return F.embedding_bag(self.columns, dense, self.starts, mode="sum", per_sample_weights=self.entries)


class Lattice(NamedTuple):
    """The corners of the simplexes around N points with d features, V of them in total.

    Attributes:
        splat: (V, N) weights of the points of each corner.
        blurs: For each of d + 1 directions, (V, V): 1 for a corner itself, 1/2 for its two neighbors.
        slice: (N, V) weights of the corners of each point, whose sum is 1.
    """

    splat: SparseMatrix
    blurs: tuple[SparseMatrix, ...]
    slice: SparseMatrix


def build_lattice(features: Tensor) -> Lattice:
    """Build the lattice of points.

    Args:
        features: (N, d), divided by the standard deviations of the Gaussian.

    Raises:
        ValueError: The features are spread too widely.
    """
    dimensions = features.shape[1]
    origin, rank, weights = _find_simplexes(_elevate(features.double()))
    remainders = torch.arange(dimensions + 1, device=features.device).view(-1, 1, 1)
    # coordinates of the corner of each remainder; the last one follows from the others
    lifted = torch.where(rank <= dimensions - remainders, remainders, remainders - (dimensions + 1))
    keys = (origin + lifted)[..., :-1]  # (d + 1, N, d)
    codes, steps = _pack(keys)
    unique, corners = codes.unique(return_inverse=True)
    splat, collect = _weigh_corners(corners.T, weights.T.to(features), count=len(unique))
    return Lattice(splat, tuple(_make_blur(after) for after in _find_neighbors(unique, steps)), collect)


def filter_points(values: Tensor, lattice: Lattice) -> Tensor:
    """Replace the values of points by sums over all points, weighted by a Gaussian of the distance.

    The Gaussian has an unknown factor, so divide by the filtered ones.

    Args:
        values: (N, K).
        lattice: Lattice of the N points.

    Returns:
        (N, K).
    """
    corners = lattice.splat @ values
    for blur in lattice.blurs:
        corners = blur @ corners
    return lattice.slice @ corners


def _weigh_corners(corners: Tensor, weights: Tensor, *, count: int) -> tuple[SparseMatrix, SparseMatrix]:
    """Return the matrices to (V, N) and from (N, V) the corners of points, from indices and weights (N, d + 1)."""
    columns, entries, size = corners.flatten(), weights.flatten(), corners.shape[1]
    starts = torch.arange(0, len(columns), size, device=columns.device)
    order = columns.argsort(stable=True)
    splat = SparseMatrix(order // size, entries[order], _find_starts(columns.bincount(minlength=count)))
    return splat, SparseMatrix(columns, entries, starts)


def _make_blur(after: Tensor) -> SparseMatrix:
    """Return the matrix (V, V) of a direction, from the next corner of each corner (V,), or V where there is none."""
    size = len(after)
    itself = torch.arange(size, device=after.device)
    has_next = after < size
    before = torch.full_like(after, size)
    before[after[has_next]] = itself[has_next]
    neighbors = torch.stack([before, itself, after], dim=1)  # (V, 3)
    exists = neighbors < size
    entries = torch.tensor([0.5, 1.0, 0.5], device=after.device).expand(size, 3)[exists]
    return SparseMatrix(neighbors[exists], entries, _find_starts(exists.sum(dim=1)))


def _find_starts(sizes: Tensor) -> Tensor:
    """Return the position of the first entry of each row, from the numbers of entries of the rows (R,): (R,)."""
    return sizes.cumsum(dim=0) - sizes


def _elevate(features: Tensor) -> Tensor:
    """Map features (N, d) to the plane of the lattice, (N, d + 1), whose coordinates sum to 0."""
    dimensions = features.shape[1]
    index = torch.arange(dimensions, device=features.device)
    scales = math.sqrt(2 / 3) * (dimensions + 1) / ((index + 1) * (index + 2)).double().sqrt()
    basis = torch.ones(dimensions, dimensions + 1, device=features.device).tril().double()
    basis[index, index + 1] = -(index + 1).double()
    return (features * scales) @ basis


def _find_simplexes(elevated: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Find the simplexes around points (N, d + 1).

    Returns:
        Origin of the simplex of each point, (N, d + 1) integers; rank of each coordinate, (N, d + 1); and weights of
        its corners, (d + 1, N).
    """
    size = elevated.shape[1]
    origin = (elevated / size).round() * size
    order = (elevated - origin).argsort(dim=1, descending=True, stable=True)
    rank = order.argsort(dim=1) + (origin.sum(dim=1, keepdim=True) / size).long()
    shift = size * ((rank < 0).long() - (rank >= size).long())
    origin, rank = origin.long() + shift, rank + shift
    rest = (elevated - origin) / size
    weights = rest.new_zeros(len(rest), size + 1)
    weights.scatter_add_(1, size - 1 - rank, rest)
    weights.scatter_add_(1, size - rank, -rest)
    weights[:, 0] += 1 + weights[:, -1]
    return origin, rank, weights[:, :-1].T


def _pack(keys: Tensor) -> tuple[Tensor, Tensor]:
    """Pack coordinates (..., d) in integers (...), and return what one step along each axis adds, (d,)."""
    dimensions = keys.shape[-1]
    flat = keys.flatten(0, -2)
    low, margin = flat.amin(dim=0), dimensions + 1  # a neighbor is at most d away
    spans = (flat.amax(dim=0) - low + 2 * margin + 1).tolist()
    if math.prod(spans) > MAX_CODE:
        raise ValueError(
            f"features span {spans} lattice positions, expected a product below 2**62: use wider Gaussians"
        )
    steps = keys.new_tensor([math.prod(spans[index + 1 :]) for index in range(dimensions)])
    return ((keys - low + margin) * steps).sum(dim=-1), steps


def _find_neighbors(codes: Tensor, steps: Tensor) -> Tensor:
    """Find the next corner along each direction: sorted codes (V,) to indices (d + 1, V), V where there is none."""
    dimensions = len(steps)
    moves = steps.sum() - (dimensions + 1) * torch.cat([steps, steps.new_zeros(1)])  # (d + 1,)
    wanted = codes - moves[:, None]
    found = torch.searchsorted(codes, wanted).clamp(max=len(codes) - 1)
    return torch.where(codes[found] == wanted, found, len(codes))

"""Projections that one code base keeps in one matrix and another in several."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def split_rows(tensors: dict[str, Tensor], name: str, *, into: Sequence[str]) -> None:
    """Replace a packed tensor by its parts in place: n·E rows become n tensors of E rows.

    Args:
        tensors: Tensors by name.
        name: Name of the packed weight (n·E, …) or bias (n·E), such as that of query, key and value together.
        into: Names of the n parts in the order of the rows.

    Raises:
        ValueError: There is no such tensor, or its rows cannot be divided into n parts.
    """
    packed = _take(tensors, name)
    num_rows = len(packed) if packed.ndim else 0
    if not num_rows or num_rows % len(into):
        raise ValueError(f"{name} has {num_rows} rows, which cannot be divided into {len(into)} parts")
    tensors.update(zip(into, packed.chunk(len(into)), strict=True))


def stack_rows(tensors: dict[str, Tensor], names: Sequence[str], *, into: str) -> None:
    """Replace several tensors by one in place: n tensors of E rows become one of n·E rows.

    Args:
        tensors: Tensors by name.
        names: Names of the parts in the order of the rows, (E, …) each.
        into: Name of the packed tensor (n·E, …).

    Raises:
        ValueError: A tensor is missing, or the shapes of the parts differ.
    """
    parts = [_take(tensors, name) for name in names]
    shapes = {tuple(part.shape) for part in parts}
    if len(shapes) > 1:
        raise ValueError(f"{' and '.join(names)} have different shapes: {', '.join(map(str, sorted(shapes)))}")
    tensors[into] = torch.cat(parts)


def _take(tensors: dict[str, Tensor], name: str) -> Tensor:
    if name not in tensors:
        raise ValueError(f"the file has no tensor {name}")
    return tensors.pop(name)

"""The best class of every pixel within groups of classes, from score maps that are read a few at a time.

On the CPU, classes are compared one by one, which is fastest there. On a GPU, where starting an operation takes longer
than the operation, all maps of a chunk are compared at once. Both give the same scores and classes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class _Challenger(NamedTuple):
    """Scores that may be higher than the best so far.

    Attributes:
        group: Number of the group.
        scores: (H, W) scores.
        label: Class id, or (H, W) int32 class ids.
    """

    group: int
    scores: Tensor
    label: int | Tensor


def find_best_classes(chunks: Iterable[Tensor], groups: Sequence[Collection[int]]) -> list[tuple[Tensor, Tensor]]:
    """Find the highest score within each group of classes, and the first class that has it.

    Args:
        chunks: (k, H, W) finite scores of consecutive classes, all classes together; iterated over once.
        groups: Class ids of each group, at least one; no class is in two groups.

    Returns:
        For each group the scores (H, W), and the class ids (H, W) long.
    """
    group_of = {k: number for number, group in enumerate(groups) for k in group}
    best: dict[int, tuple[Tensor, Tensor]] = {}
    first = 0
    for chunk in chunks:
        list_challengers = _list_classes if chunk.device.type == "cpu" else _list_group_bests
        for number, scores, label in list_challengers(chunk, first, group_of):
            if number not in best:
                labels = label if isinstance(label, Tensor) else torch.full_like(scores, label, dtype=torch.int32)
                best[number] = scores.clone(), labels
                continue
            value, labels = best[number]
            is_higher = scores > value
            if isinstance(label, Tensor):
                torch.where(is_higher, label, labels, out=labels)
            else:
                labels.masked_fill_(is_higher, label)
            torch.maximum(value, scores, out=value)
        first += len(chunk)
    return [(value, label.long()) for value, label in (best[number] for number in range(len(groups)))]


def _list_classes(chunk: Tensor, first: int, group_of: Mapping[int, int]) -> Iterator[_Challenger]:
    """Yield every map (H, W) of a chunk (k, H, W) whose first class is `first`, without classes of no group."""
    for k, scores in enumerate(chunk, start=first):
        if k in group_of:
            yield _Challenger(group_of[k], scores, k)


def _list_group_bests(chunk: Tensor, first: int, group_of: Mapping[int, int]) -> Iterator[_Challenger]:
    """Yield the best scores and classes of each group within a chunk (k, H, W) whose first class is `first`."""
    ids: dict[int, list[int]] = {}
    for k in range(first, first + len(chunk)):
        if k in group_of:
            ids.setdefault(group_of[k], []).append(k)
    for number, classes in ids.items():
        rows = torch.tensor(classes, device=chunk.device, dtype=torch.int32)
        scores, index = chunk[rows - first].max(dim=0)  # of equal scores, the first
        yield _Challenger(number, scores, rows[index])

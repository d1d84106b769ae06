"""The best class of every pixel within groups of classes, from score maps that are read a few at a time.

All classes of a group are compared at once, on a CPU in tiles of pixels that fit into its cache.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

TILE_SCORES = 2**17
"""Scores of a tile: half a megabyte in float32, which fits into the second cache of processors."""


class BestClasses(NamedTuple):
    """The best class of every pixel within each of G groups.

    Attributes:
        scores: (G, H, W) highest scores; on a CPU, those in half precision are converted to float32.
        labels: (G, H, W) int32, the first class that has this score.
    """

    scores: Tensor
    labels: Tensor


def find_best_classes(chunks: Iterable[Tensor], groups: Sequence[Collection[int]]) -> BestClasses:
    """Find the highest score within each group of classes, and the first class that has it.

    Args:
        chunks: (k, H, W) finite scores of consecutive classes, all classes together; iterated over once.
        groups: Class ids of each group, at least one; no class is in two groups.
    """
    best: BestClasses | None = None
    ids = [sorted(group) for group in groups]
    first = 0
    for chunk in chunks:
        present = [group[bisect_left(group, first) : bisect_left(group, first + len(chunk))] for group in ids]
        scores, labels = (_compare_tiles if chunk.device.type == "cpu" else _compare_maps)(chunk, first, present)
        if best is not None:
            labels = torch.where(scores > best.scores, labels, best.labels)
            scores = torch.maximum(best.scores, scores)
        best = BestClasses(scores, labels)
        first += len(chunk)
    assert best is not None, "there is at least one class"
    return best


def split_pixels(classes: int, pixels: int) -> Iterator[slice]:
    """Yield slices of the pixels of `classes` score maps, each a tile that fits into the cache."""
    step = max(1, TILE_SCORES // max(1, classes))
    for start in range(0, pixels if classes else 0, step):
        yield slice(start, start + step)


def _compare_tiles(chunk: Tensor, first: int, groups: Sequence[Sequence[int]]) -> BestClasses:
    """Find the best classes of a chunk on the CPU.

    Args:
        chunk: (k, H, W) scores.
        first: Class of the first map.
        groups: Ascending classes of the chunk within each group; the scores of an empty group are -inf.
    """
    # NumPy has no bfloat16
    maps = chunk.flatten(1).to(torch.promote_types(chunk.dtype, torch.float32)).numpy()  # (k, P)
    best = np.full((len(groups), maps.shape[1]), -math.inf, maps.dtype)
    labels = np.zeros(best.shape, np.int32)
    for number, classes in enumerate(groups):
        # Ranks of the classes, the highest for the first one, in as few bytes as possible
        ranked = np.array(classes[::-1], np.int32)  # (n,)
        rows = ranked[::-1] - first  # (n,)
        ranks = np.arange(len(classes), dtype=np.min_scalar_type(len(classes)))[::-1, None]  # (n, 1)
        for tile in split_pixels(len(classes), maps.shape[1]):
            scores = maps[rows, tile]  # (n, p)
            highest = scores.max(axis=0, out=best[number, tile])
            is_highest = scores == highest
            labels[number, tile] = ranked.take((is_highest * ranks).max(axis=0))  # of equal scores, the highest rank
    shape = (len(groups), *chunk.shape[1:])
    return BestClasses(torch.from_numpy(best).view(shape), torch.from_numpy(labels).view(shape))


def _compare_maps(chunk: Tensor, first: int, groups: Sequence[Sequence[int]]) -> BestClasses:
    """Find the same on any device in few operations, as starting one takes longer than the operation."""
    scores = chunk.new_full((len(groups), *chunk.shape[1:]), -math.inf)
    labels = torch.zeros(scores.shape, dtype=torch.int32, device=chunk.device)
    for number, classes in enumerate(groups):
        if classes:
            ids = torch.tensor(classes, device=chunk.device, dtype=torch.int32)
            scores[number], position = chunk[ids - first].max(dim=0)  # of equal scores, the first
            labels[number] = ids[position]
    return BestClasses(scores, labels)

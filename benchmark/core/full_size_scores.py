"""Best classes of predictions at full size by compiled loops.

They read scores in memory, in float32 and on the CPU. Whatever they do not fit is left to torch: other devices and
types, scores that are not finite, scores that are computed a few classes at a time, a missing Numba.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.core.lazy_scores import AnyPrediction, LazyPrediction, compute_small_maps, is_small

Floats = NDArray[np.float32]
Labels = NDArray[np.int32]

TORCH_ERROR = 6e-7
"""Bound of the relative error of torch's `exp`, 4 units in the last place, and of the last sums of both; each of the
K additions in torch's sum, and of the K / 4 in that of the loops, adds 2^-24."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class FullSizeScores:
    """Scores of one image in memory.

    Attributes:
        maps: (K, H, W) scores; in memory, the classes of a pixel or the pixels of a class follow each other.
    """

    maps: Floats

    def find_best(self, groups: Sequence[Collection[int]]) -> tuple[Floats, Labels] | None:
        """Find the highest score within each group of classes, and the first class that has it.

        Args:
            groups: Ids of the classes of each group; every class is in one of them.

        Returns:
            (G, H, W) scores and classes of G groups; None if a score is not finite.
        """
        found = self._find(groups, has_total=False)
        return found and found[:2]

    def find_best_and_total(self, groups: Sequence[Collection[int]]) -> tuple[Floats, Labels, Floats, float] | None:
        """Find the same, and sum the softmax.

        Args:
            groups: Ids of the classes of each group; every class is in one of them.

        Returns:
            (G, H, W) scores and classes of G groups, the sums (H, W) of e^(score - highest score), and a bound of their
            relative distance to the sums of `exp` in float32; None if a score is not finite.
        """
        found = self._find(groups, has_total=True)
        return found and (*found, load_kernels().EXP_ERROR + TORCH_ERROR + 1.25 * len(self.maps) * 2.0**-24)

    def read_pixels(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Floats:
        """Return the scores (K, P) of P pixels."""
        return np.ascontiguousarray(self.maps[:, rows, columns])

    def _find(self, groups: Sequence[Collection[int]], *, has_total: bool) -> tuple[Floats, Labels, Floats] | None:
        """Return the best scores and classes (G, H, W) and, if wanted, the sums (H, W); None if one is not finite."""
        classes, height, width = self.maps.shape
        found = load_kernels().find_best(
            self.maps.reshape(classes, -1),
            _number_classes(tuple(map(tuple, groups)), classes),
            groups=len(groups),
            has_total=has_total,
            threads=torch.get_num_threads(),
        )
        best, label = (part.reshape(len(groups), height, width) for part in (found.best, found.label))
        return (best, label, found.total.reshape(-1, width)) if found.is_finite else None


def open_full_size_scores(prediction: AnyPrediction) -> FullSizeScores | None:
    """Return the scores of a prediction for compiled loops; None if torch has to read them.

    Args:
        prediction: Prediction, or its scores (K, H, W).
    """
    if isinstance(prediction, LazyPrediction):
        maps = compute_small_maps(prediction)
    else:
        maps = prediction if isinstance(prediction, Tensor) else prediction["sem_seg"]
    if maps is None or not _is_readable(maps) or load_kernels() is None:
        return None
    maps = maps.detach().float()
    if maps.is_contiguous():
        return FullSizeScores(maps.numpy())
    if maps.stride(0) == 1:
        return FullSizeScores(maps.permute(1, 2, 0).contiguous().numpy().transpose(2, 0, 1))
    return FullSizeScores(maps.contiguous().numpy())


@cache
def load_kernels() -> Any:
    """Return the module of compiled loops; None if Numba is missing or does not work."""
    try:
        from benchmark.core import map_kernels

        map_kernels.find_best(np.zeros((1, 1), np.float32), np.zeros(1, np.int32), groups=1)
    except Exception as error:  # whatever Numba, LLVM or their combination with NumPy and this processor raise
        _log.info("pixels are counted by torch: %s", error)
        return None
    return map_kernels


def _is_readable(maps: Tensor) -> bool:
    """Return whether scores can be read in place, or are so few that a copy costs little."""
    if maps.device.type != "cpu":
        return False
    if maps.dtype is torch.float32 and (maps.is_contiguous() or maps.permute(1, 2, 0).is_contiguous()):
        return True
    return maps.dtype in (torch.float32, torch.float16, torch.bfloat16) and is_small(maps.shape)


@lru_cache(maxsize=8)
def _number_classes(groups: tuple[tuple[int, ...], ...], classes: int) -> Labels:
    """Return the group (K,) of each class."""
    group = np.zeros(classes, np.int32)
    for number, members in enumerate(groups):
        group[list(members)] = number
    return group

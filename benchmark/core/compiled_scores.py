"""Best classes of predictions in low resolution by compiled loops, with the bits of torch's own resizing.

The loops of `tile_kernels` repeat the arithmetic of torch's kernel for maps of contiguous rows on the CPU. How torch
was built decides that arithmetic, so one map of the first prediction of every geometry is compared with torch, bit for
bit. Whatever they do not fit is left to torch: other kernels, other values, a missing Numba, or a map that differs.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.core.bilinear import Resizing, Size, make_resizings

Floats = NDArray[np.float32]

SMALL_SIDES = 128
"""Sum of rows and columns up to which torch resizes with channels last, and thus in another order."""
LARGEST = 1e30
"""Largest score in magnitude whose sums and products cannot overflow."""
SLACK = 4e-6
"""Bound of the rounding of a score, relative to the largest one in magnitude: 12 roundings by 6e-8, and some more."""
KNOWN_GEOMETRIES = 4096

_log = logging.getLogger(__name__)
_geometries: dict[tuple[Size, ...], bool] = {}
"""Whether the loops have the bits of torch, by geometry."""


@dataclass(frozen=True, eq=False)
class CompiledScores:
    """Scores of one image, resized as needed.

    Attributes:
        low: (K, h, w) finite scores.
        first: Resizing from (h, w) to the image.
        last: Resizing from the image to (H, W).
        slack: Bound of the rounding of a score.
    """

    low: Floats
    first: Resizing
    last: Resizing
    slack: float

    def find_best(self, groups: Sequence[Collection[int]]) -> tuple[Floats, NDArray[np.int32]]:
        """Find the highest score within each of one or two groups of classes, and the first class that has it.

        Returns:
            (G, H, W) scores and classes of G groups.
        """
        best, label, _ = self._kernels.find_best(
            self.low, self._number(groups), first=self.first, last=self.last, slack=self.slack
        )
        return best, label

    def find_best_and_total(self, groups: Sequence[Collection[int]]) -> tuple[Floats, NDArray[np.int32], Floats, float]:
        """Find the same, and sum the softmax.

        Args:
            groups: Ids of the classes of each group; every class is in one of them.

        Returns:
            (G, H, W) scores and classes of G groups, the sums (H, W) of e^(score - highest score), and a bound of their
            relative distance to the sums of `exp` in float32.
        """
        classes, kernels = len(self.low), self._kernels
        reach = np.log(classes) + 13
        best, label, total = kernels.find_best(
            *(self.low, self._number(groups)),
            first=self.first,
            last=self.last,
            slack=self.slack,
            reach=reach,
            has_total=True,
        )
        error = 2 * kernels.EXP_ERROR + 2 * classes * 2.0**-24 + classes * np.exp(-reach) + 1e-6
        return best, label, total, float(error)

    def read_pixels(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Floats:
        """Return the scores (K, P) of P pixels."""
        from benchmark.core.pixel_scores import read_pixels  # not above: it needs Numba

        return read_pixels(self.low, rows, columns, first=self.first, last=self.last)

    @property
    def _kernels(self) -> Any:
        return load_kernels()

    def _number(self, groups: Sequence[Collection[int]]) -> NDArray[np.int32]:
        """Return the group (K,) of each class, -1 for none."""
        group = np.full(len(self.low), -1, dtype=np.int32)
        for number, classes in enumerate(groups):
            group[list(classes)] = number
        return group


def open_compiled(
    low_res: Tensor, *, padded_size: Sequence[int], image_size: Sequence[int], output_size: Sequence[int], expected: Any
) -> CompiledScores | None:
    """Return the scores of an image if compiled loops have the same bits as torch, and None otherwise.

    Args:
        low_res: (1, K, h, w) scores over a padded image.
        padded_size: Height and width of the padded image.
        image_size: Height and width of the image in its upper left corner.
        output_size: Height H and width W of the prediction.
        expected: Function that returns the first map (H, W) as torch resizes it.
    """
    sizes = [_to_size(size) for size in (low_res.shape[2:], padded_size, image_size, output_size)]
    if not _is_plain(low_res) or not _is_resized_by_rows(sizes) or load_kernels() is None:
        return None
    low = low_res.detach()[0].numpy()
    largest = max(abs(float(end)) for end in low_res.aminmax())
    if not largest < LARGEST:  # nan is not
        return None
    first, last = make_resizings(sizes)
    scores = CompiledScores(low, first, last, slack=max(SLACK * largest, 1e-30))
    key = tuple(sizes)
    if key not in _geometries:
        if len(_geometries) >= KNOWN_GEOMETRIES:
            _geometries.clear()
        _geometries[key] = _is_exact(scores, expected)
    return scores if _geometries[key] else None


@cache
def load_kernels() -> Any:
    """Return the module of compiled loops; None if Numba is missing or does not work."""
    try:
        from benchmark.core import tile_kernels
    except Exception as error:  # whatever Numba, LLVM or their combination with NumPy raise
        _log.info("label maps are computed by torch: %s", error)
        return None
    return tile_kernels


def _is_plain(low_res: Tensor) -> bool:
    """Return whether a tensor has the type and the layout of the loops."""
    is_cpu_float = low_res.device.type == "cpu" and low_res.dtype is torch.float32 and len(low_res) == 1
    is_transposed = low_res.is_contiguous(memory_format=torch.channels_last)
    return is_cpu_float and low_res.is_contiguous() and not is_transposed


def _is_resized_by_rows(sizes: Sequence[Size]) -> bool:
    low, padded, image, output = sizes
    resized = ([padded] if padded != low else []) + ([output] if output != image else [])
    return min(image) > 0 and all(sum(size) > SMALL_SIDES for size in resized)


def _is_exact(scores: CompiledScores, expected: Any) -> bool:
    """Return whether the first map has the bits of torch."""
    first = CompiledScores(scores.low[:1], scores.first, scores.last, scores.slack)
    try:
        best, _ = first.find_best([[0]])
    except Exception as error:  # whatever a compiler raises on a processor that it does not know
        _log.warning("label maps are computed by torch: compiled loops fail: %s", error)
        return False
    is_exact = bool(np.array_equal(best[0], expected()))
    if not is_exact:
        _log.info("label maps are computed by torch: its resizing has other last bits than the compiled loops")
    return is_exact


def _to_size(size: Sequence[int]) -> Size:
    height, width = size
    return int(height), int(width)

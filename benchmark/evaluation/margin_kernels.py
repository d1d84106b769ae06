"""Compiled loop over pixels: the bin of each margin, and the pixels whose bin is not certain."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.core.compiled import compile_function, compile_part

ROUNDED_TO_ONE = -36.0
"""Logarithm below which 1 - e^x may be 1 in float64."""


class Bins(NamedTuple):
    """Bins of P pixels.

    Attributes:
        bins: (P,) bin of each pixel.
        doubtful: Indices of pixels whose bin may be another.
    """

    bins: NDArray[np.int64]
    doubtful: NDArray[np.int64]


@compile_part
def _find_bin(gammas: Any, margin: Any) -> Any:
    """Return the number of gammas, from -1 to 1, that are at most the margin."""
    guess = int((margin + 1) * (len(gammas) - 1) / 2) + 1
    found = min(max(guess, 0), len(gammas))
    while found < len(gammas) and gammas[found] <= margin:
        found += 1
    while found > 0 and gammas[found - 1] > margin:
        found -= 1
    return found


@compile_function
def _bin(best: Any, label: Any, total: Any, gammas: Any, zero: Any, error: Any, bins: Any, doubtful: Any) -> int:
    number = 0
    for i in range(len(bins)):
        seen, unseen = best[0, i], best[1, i]
        difference = float(min(seen, unseen) - max(seen, unseen))
        margin = (1 - math.exp(difference)) / total[i]  # of the winner
        tolerance = error * margin + 1e-12
        if seen > unseen or (seen == unseen and label[0, i] < label[1, i]):
            low = max(_find_bin(gammas, margin - tolerance), zero + 1)
            high = max(_find_bin(gammas, margin + tolerance), zero + 1)
            if difference > ROUNDED_TO_ONE:  # then the margin is below 1
                low, high = min(low, len(gammas) - 1), min(high, len(gammas) - 1)
        else:
            low = min(max(_find_bin(gammas, -margin - tolerance), 1), zero)  # a margin is not below -1
            high = min(max(_find_bin(gammas, -margin + tolerance), 1), zero)
        bins[i] = low
        if low != high:
            doubtful[number] = i
            number += 1
    return number


def bin_margins(
    best: NDArray[np.float32],
    label: NDArray[np.int32],
    total: NDArray[np.float32],
    *,
    gammas: NDArray[np.float64],
    zero: int,
    error: float,
) -> Bins:
    """Compute the bins of the margins of P pixels from sums that are not exact.

    Args:
        best: (2, P) highest logits of a seen and of an unseen class.
        label: (2, P) classes of these logits.
        total: (P,) sums of e^(logit - highest logit).
        gammas: (G,) ascending from -1 to 1.
        zero: Index of gamma 0.
        error: Bound of the relative error of the sums.
    """
    bins, doubtful = np.empty(len(total), dtype=np.int64), np.empty(len(total), dtype=np.int64)
    number = _bin(best, label, total, gammas, zero, error, bins, doubtful)
    return Bins(bins, doubtful[:number])

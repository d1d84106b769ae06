"""Compiled loops over pixels: the bin of each margin, and the pixels whose bin is not certain.

Margins that no gamma is close to are binned several at a time; the few others follow one by one.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.core.compiled import compile_function, compile_part, interpret_as_float

ROUNDED_TO_ONE = -36.0
"""Logarithm below which 1 - e^x may be 1 in float64."""
EXP_ERROR = 5e-7
"""Bound of the error of a margin by the rounding of `_exp`, whose own is at most 2e-7 for arguments up to 0."""
LOWEST, LOG2_E, LN2_HIGH, LN2_LOW, FLOAT32_ROUND = map(
    np.float32, (-87, 1.4426950408889634, 0.693359375, -2.12194440e-4, 1.5 * 2**23)
)
ONE, C2, C3, C4, C5, C6, C7 = map(
    np.float32, (1, 0.50000001201, 0.16666665459, 4.1665795894e-2, 8.3334519073e-3, 1.3981999507e-3, 1.9875691500e-4)
)
ROUND = 1.5 * 2.0**52
"""Adding and subtracting it rounds a small float64 to an integer."""
NEAR = np.int32(-1)


class Bins(NamedTuple):
    """Bins of P pixels.

    Attributes:
        bins: (P,) int32, bin of each pixel.
        doubtful: Indices of pixels whose bin may be another.
    """

    bins: NDArray[np.int32]
    doubtful: NDArray[np.int64]


@compile_part
def _exp(x: Any) -> Any:
    """Return e^x as `map_kernels` does; a compiled function is kept with what it calls in its own file."""
    x = max(x, LOWEST)
    whole = (x * LOG2_E + FLOAT32_ROUND) - FLOAT32_ROUND
    f = (x - whole * LN2_HIGH) - whole * LN2_LOW
    p = C2 + f * (C3 + f * (C4 + f * (C5 + f * (C6 + f * C7))))
    power = interpret_as_float(np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)))
    return (ONE + (f + (f * f) * p)) * power


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


@compile_part
def _bin_others(best: Any, label: Any, total: Any, zero: Any, error: Any, bins: Any) -> None:
    """Compute the bins of the margins that are not near a gamma but -1 or 1, and set those of all others to `NEAR`."""
    seen, unseen, first_seen, first_unseen = best[0], best[1], label[0], label[1]
    for i in range(np.uintp(len(bins))):
        difference = min(seen[i], unseen[i]) - max(seen[i], unseen[i])
        margin = (1 - np.float64(_exp(difference))) / np.float64(total[i])  # of the winner
        is_seen = (seen[i] > unseen[i]) | ((seen[i] == unseen[i]) & (first_seen[i] < first_unseen[i]))
        steps = zero * (margin if is_seen else -margin)
        nearest = (steps + ROUND) - ROUND
        whole = nearest - (1.0 if nearest > steps else 0.0)
        is_near = abs(steps - nearest) <= zero * (error * margin + EXP_ERROR)
        is_end = (nearest == -zero) | ((nearest == zero) & (difference > ROUNDED_TO_ONE))  # see below
        end = 1 if nearest < 0 else 2 * zero
        bins[i] = (end if is_end else NEAR) if is_near else np.int32(whole) + np.int32(zero + 1)


@compile_function
def _bin(best: Any, label: Any, total: Any, gammas: Any, zero: Any, error: Any, bins: Any, doubtful: Any) -> int:
    _bin_others(best, label, total, zero, error, bins)
    number = 0
    for i in range(len(bins)):
        if bins[i] != NEAR:
            continue
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
        gammas: (G,) ascending from -1 to 1 in equal steps.
        zero: Index of gamma 0.
        error: Bound of the relative error of the sums, at most 0.004.
    """
    bins, doubtful = np.empty(len(total), dtype=np.int32), np.empty(len(total), dtype=np.int64)
    number = _bin(best, label, total, gammas, zero, error, bins, doubtful)
    return Bins(bins, doubtful[:number])

"""Compiled loops over score maps at full size: the best class of every pixel, and the sum of its softmax.

Pixels are processed in tiles that fit into the processor's first caches. Scores that lie one pixel after the other are
copied to rows first, one row a class, as LLVM computes several places of a row at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.core.compiled import compile_function, compile_part, interpret_as_float

Floats = NDArray[np.float32]
Labels = NDArray[np.int32]

EXP_ERROR = 2e-7
"""Bound of the relative error of `_exp`; that of all float32 from -87 to 0, compared with float64, is 8.2e-8."""

TILE_SCORES, STEP = 2**14, 16
"""Scores of a tile, about, and divisor of the number of its pixels."""
THREAD_SCORES = 2**20
"""Scores that one thread is started for at least: a millisecond of work."""

ZERO, FOUR = np.uintp(0), np.uintp(4)
INFINITY_BITS = 0x7F800000
MAGNITUDE = np.int32(0x7FFFFFFF)
"""Bits of a float32 but its sign; as integers, those of numbers are below those of infinity, and nan above them."""
LOG2_E, LOWEST = np.float32(1.4426950408889634), np.float32(-87)
ROUND = np.float32(1.5 * 2**23)
"""Adding and subtracting it rounds a small float32 to an integer."""
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
"""Summands of the logarithm of 2; products of the first one with integers up to 2^15 are exact."""
ONE, C2, C3, C4, C5, C6, C7 = map(
    np.float32, (1, 0.50000001201, 0.16666665459, 4.1665795894e-2, 8.3334519073e-3, 1.3981999507e-3, 1.9875691500e-4)
)
"""Coefficients of e^x for |x| up to log(2) / 2, from the library Cephes (Moshier 1992, `expf`)."""


class BestAndTotal(NamedTuple):
    """The best class of P pixels within each of G groups, and the sums of their softmax.

    Attributes:
        best: (G, P) highest scores.
        label: (G, P) first classes that have them.
        total: (P,) sums of e^(score - highest score) over all classes; (0,) without sums.
        is_finite: Whether all scores are; if not, the others mean nothing.
    """

    best: Floats
    label: Labels
    total: Floats
    is_finite: bool


def find_best(maps: Floats, group: Labels, *, groups: int, has_total: bool = False, threads: int = 1) -> BestAndTotal:
    """Find the highest score within each group of classes, and the first class that has it.

    Args:
        maps: (K, P) scores, of which the classes of a pixel or the pixels of a class follow each other in memory.
        group: (K,) group of each class, 0 … G - 1.
        groups: Number of groups G.
        has_total: Whether to sum the softmax.
        threads: Number of threads, more than one for large maps only; results do not depend on it.
    """
    pixels = maps.shape[1]
    best, label = np.empty((groups, pixels), np.float32), np.empty((groups, pixels), np.int32)
    total = np.empty(pixels if has_total else 0, np.float32)
    is_transposed = not maps.flags.c_contiguous
    scores = maps.T.ravel() if is_transposed else maps.ravel()

    def scan(start: int, stop: int) -> int:
        highest: int = _scan(scores, is_transposed, group, start, stop, best, label, total)
        return highest

    ends = _share_pixels(scan, pixels, threads=min(threads, maps.size // THREAD_SCORES))
    return BestAndTotal(best, label, total, is_finite=max(ends) < INFINITY_BITS)


def _share_pixels(scan: Callable[[int, int], int], pixels: int, *, threads: int) -> list[int]:
    """Call a function with the first and the last pixel, exclusive, of the share of each thread."""
    if threads <= 1:
        return [scan(0, pixels)]
    cuts = [pixels * number // threads for number in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(scan, cuts[:-1], cuts[1:]))


@compile_part
def _exp(x: Any) -> Any:
    """Return e^x in float32 for x up to 0; 1 for 0, and at most 2e-38 below -87."""
    x = max(x, LOWEST)
    whole = (x * LOG2_E + ROUND) - ROUND
    f = (x - whole * LN2_HIGH) - whole * LN2_LOW
    p = C2 + f * (C3 + f * (C4 + f * (C5 + f * (C6 + f * C7))))
    power = interpret_as_float(np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)))
    return (ONE + (f + (f * f) * p)) * power


@compile_part
def _transpose(scores: Any, classes: Any, start: Any, count: Any, tile: Any, stride: Any) -> None:
    """Copy the scores of some pixels, one pixel after the other, to rows of a tile, one row a class."""
    step = np.uintp(STEP)
    for left in range(ZERO, count, step):
        stop = min(left + step, count)
        for k in range(classes):
            row = k * stride
            for i in range(left, stop):
                tile[row + i] = scores[(start + i) * classes + k]


@compile_part
def _find_best(rows: Any, first: Any, stride: Any, group: Any, left: Any, right: Any, best: Any, label: Any) -> Any:
    """Find the best classes of some pixels, and the highest magnitude of their scores as bits."""
    highest, bits, count = np.int32(0), rows.view(np.int32), right - left
    for g in range(np.uintp(len(best))):
        highs, labels = best[g][left:right], label[g][left:right]
        for i in range(count):
            highs[i], labels[i] = -np.inf, 0
    for k in range(np.uintp(len(group))):
        own, row, number = np.uintp(group[k]), first + k * stride, np.int32(k)
        highs, labels = best[own][left:right], label[own][left:right]
        for i in range(count):
            value = rows[row + i]
            is_higher = value > highs[i]
            highs[i] = value if is_higher else highs[i]
            labels[i] = number if is_higher else labels[i]
        for i in range(count):
            highest = max(highest, np.int32(bits[row + i] & MAGNITUDE))
    return highest


@compile_part
def _sum_softmax(
    rows: Any, first: Any, stride: Any, classes: Any, best: Any, left: Any, right: Any, total: Any
) -> None:
    """Sum e^(score - highest score) over the classes, four at a time, so that less is rounded."""
    sums, count = total[left:right], right - left
    reference = best[0][left:right].copy()
    for g in range(np.uintp(1), np.uintp(len(best))):
        highs = best[g][left:right]
        for i in range(count):
            reference[i] = max(reference[i], highs[i])
    for i in range(count):
        sums[i] = 0
    quads = classes - classes % FOUR
    for k in range(ZERO, quads, FOUR):
        a = first + k * stride
        b, c, d = a + stride, a + stride + stride, a + stride + stride + stride
        for i in range(count):
            r = reference[i]
            half = _exp(rows[a + i] - r) + _exp(rows[b + i] - r)
            sums[i] += half + (_exp(rows[c + i] - r) + _exp(rows[d + i] - r))
    for k in range(quads, classes):
        row = first + k * stride
        for i in range(count):
            sums[i] += _exp(rows[row + i] - reference[i])


@compile_function
def _scan(scores: Any, is_transposed: Any, group: Any, start: Any, stop: Any, best: Any, label: Any, total: Any) -> Any:
    """Fill in the best classes and the sums of pixels, and return the highest magnitude of their scores as bits."""
    classes, highest, end = np.uintp(len(group)), np.int32(0), np.uintp(stop)
    step = max(np.uintp(TILE_SCORES) // classes // np.uintp(STEP), np.uintp(4)) * np.uintp(STEP)
    tile = np.empty(classes * step if is_transposed else ZERO, np.float32)
    rows, stride = (tile, step) if is_transposed else (scores, np.uintp(best.shape[1]))
    for left in range(np.uintp(start), end, step):
        right, first = min(left + step, end), ZERO if is_transposed else left
        if is_transposed:
            _transpose(scores, classes, left, right - left, tile, stride)
        highest = max(highest, _find_best(rows, first, stride, group, left, right, best, label))
        if len(total):
            _sum_softmax(rows, first, stride, classes, best, left, right, total)
    return highest

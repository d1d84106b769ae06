"""Compiled loops over score maps in low resolution: the best classes of every pixel, and the sum of their softmax.

An image is processed in tiles, one class after the other, so that the scores of a tile stay in the processor's cache.
A bilinear score lies between the scores of the low resolution around it. A class whose highest score around a tile is
below the lowest score of another class of its group is never the best one there: it is not resized for that tile.

Every score has the bits of torch's `interpolate`: of columns, then of rows, a * weight + round(b * weight), where the
sum is rounded once. Indices are unsigned, because Numba would otherwise test each of them for a negative one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.core.bilinear import Resizing
from benchmark.core.compiled import compile_function, compile_part, fused_multiply_add, interpret_as_float

Floats = NDArray[np.float32]
Labels = NDArray[np.int32]

ROWS, COLUMNS = np.uintp(32), np.uintp(256)
"""Size of a tile."""
UNUSED, SUMMAND, CANDIDATE = 0, 1, 2
"""Uses of a class in a tile: none, in the sum of the softmax alone, and as a candidate for the best class as well."""
ZERO, ONE, TWO, THREE, FOUR = map(np.uintp, range(5))

EXP_ERROR = 1.5e-5
"""Bound of the relative error of `_exp`: 3e-6 of the polynomial, and 8e-6 of the rounding of its argument."""
WIDEST = 75.0
"""Range of the best scores of a tile up to which the sums of e^(score - the lowest) fit into float32."""
LOG2_E, LOWEST = np.float32(1.4426950408889634), np.float32(-87)
ROUND = np.float32(1.5 * 2**23)
"""Adding and subtracting it rounds a small float32 to an integer."""
C0, C1, C2, C3, C4, C5 = map(np.float32, (1, 0.69314718, 0.24022651, 0.055504109, 0.0096181291, 0.0013333558))
"""Taylor coefficients of 2^x."""


class _Source(NamedTuple):
    """Scores of an image, with the group (K,) of each class; see `find_best`."""

    low: Floats
    group: Labels
    first: Resizing
    last: Resizing
    is_twice: bool


class _Span(NamedTuple):
    """Rows and columns of a tile: the first ones, and how many."""

    top: Any
    rows: Any
    left: Any
    columns: Any


class _Tile(NamedTuple):
    """Memory of one tile: a score map in three stages, the best of both groups, sums, and what their terms refer to."""

    low_rows: Floats
    image: Floats
    wide: Floats
    best: Floats
    label: Labels
    total: Floats
    reference: Floats


def find_best(
    low: Floats,
    group: Labels,
    *,
    first: Resizing,
    last: Resizing,
    slack: float,
    reach: float = 0,
    has_total: bool = False,
) -> tuple[Floats, Labels, Floats]:
    """Find the highest score within each group of classes, and the first class that has it.

    Args:
        low: (K, h, w) finite scores.
        group: (K,) group of each class, 0 or 1; -1 for classes in no group. Group 0 is not empty.
        first: Resizing from (h, w) to an image; its own places if the image has this size.
        last: Resizing from the image to (H, W).
        slack: Bound of the rounding of a score.
        reach: Classes are left out of the sums if they are this far below the highest score everywhere around a tile.
        has_total: Whether to sum the softmax.

    Returns:
        (G, H, W) scores and classes of G groups, and the sums (H, W) of e^(score - highest score) over all classes in a
        group; (0, 0) without sums. A sum is up to 2 `EXP_ERROR`, the rounding of K additions and K * e^-reach off.
    """
    height, width = last.rows.places.shape[1], last.columns.places.shape[1]
    groups = int(group.max()) + 1
    best, label = np.empty((groups, height, width), np.float32), np.empty((groups, height, width), np.int32)
    total = np.empty((height, width) if has_total else (0, 0), np.float32)
    is_twice = first.rows.places.shape[1] != low.shape[1] or first.columns.places.shape[1] != low.shape[2]
    source = _Source(low, group, first, last, is_twice)
    _scan(source, np.float32(reach), np.float32(slack), best, label, total)
    return best, label, total


@compile_part
def _exp(x: Any) -> Any:
    """Return e^x in float32 for x up to 87; 1 for 0, and at most 2e-38 below -87."""
    t = max(x, LOWEST) * LOG2_E
    whole = (t + ROUND) - ROUND
    f = t - whole  # -0.5 … 0.5
    p = C0 + f * (C1 + f * (C2 + f * (C3 + f * (C4 + f * C5))))
    return p * interpret_as_float(np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)))


@compile_part
def _mix(a: Any, b: Any, weight_a: Any, weight_b: Any) -> Any:
    return fused_multiply_add(a, weight_a, b * weight_b)


@compile_part
def _resize_four_rows(rows: Any, top: Any, axis: Any, columns: Any, left: Any, skipped: Any, out: Any) -> None:
    """Resize four rows whose second place is next to the first: places and weights are read once for all of them."""
    places, weights = axis.places[ZERO], axis.weights[ONE]
    row0, row1, row2, row3 = rows[top], rows[top + ONE], rows[top + TWO], rows[top + THREE]
    out0, out1, out2, out3 = out[ZERO], out[ONE], out[TWO], out[THREE]
    for i in range(columns):
        a, weight = places[left + i] - skipped, weights[left + i]
        b, weight_a = a + ONE, np.float32(1) - weight  # as in `bilinear`
        out0[i] = _mix(row0[a], row0[b], weight_a, weight)
        out1[i] = _mix(row1[a], row1[b], weight_a, weight)
        out2[i] = _mix(row2[a], row2[b], weight_a, weight)
        out3[i] = _mix(row3[a], row3[b], weight_a, weight)


@compile_part
def _resize_columns(maps: Any, k: Any, top: Any, axis: Any, span: Any, skipped: Any, out: Any) -> None:
    """Resize rows of map k to the columns of a span: out[y] is row top + y for each of its rows.

    The first column of the map is column `skipped` of the source of the axis.
    """
    places, weights, inner = axis.places, axis.weights, span.columns
    while inner > ZERO and places[ZERO, span.left + inner - ONE] == places[ONE, span.left + inner - ONE]:
        inner -= ONE  # beyond the center of the last column, both places are the same
    whole = span.rows - span.rows % FOUR
    for y in range(ZERO, whole, FOUR):
        _resize_four_rows(maps[k], top + y, axis, inner, span.left, skipped, out[y : y + FOUR])
    for y in range(span.rows):
        for i in range(inner if y < whole else ZERO, span.columns):
            x = span.left + i
            a, b = maps[k, top + y, places[ZERO, x] - skipped], maps[k, top + y, places[ONE, x] - skipped]
            out[y, i] = _mix(a, b, weights[ZERO, x], weights[ONE, x])


@compile_part
def _resize_rows(source: Any, skipped: Any, axis: Any, span: Any, k: Any, out: Any) -> None:
    """Resize columns to the rows of a span, into map k; the first row is row `skipped` of the source of the axis."""
    for y in range(span.rows):
        a, b = axis.places[ZERO, span.top + y] - skipped, axis.places[ONE, span.top + y] - skipped
        weight_a, weight_b = axis.weights[ZERO, span.top + y], axis.weights[ONE, span.top + y]
        for i in range(span.columns):
            out[k, y, i] = _mix(source[a, i], source[b, i], weight_a, weight_b)


@compile_part
def _resize_and_update(skipped: Any, axis: Any, span: Any, tile: Any, k: Any, g: Any) -> None:
    """Resize columns to the rows of a span, and put class k where its scores are higher than the best of group g."""
    source, best, label = tile.wide, tile.best, tile.label
    for y in range(span.rows):
        a, b = axis.places[ZERO, span.top + y] - skipped, axis.places[ONE, span.top + y] - skipped
        weight_a, weight_b = axis.weights[ZERO, span.top + y], axis.weights[ONE, span.top + y]
        for i in range(span.columns):
            value = _mix(source[a, i], source[b, i], weight_a, weight_b)
            is_higher = value > best[g, y, i]
            best[g, y, i] = value if is_higher else best[g, y, i]
            label[g, y, i] = k if is_higher else label[g, y, i]


@compile_part
def _resize_update_and_sum(skipped: Any, axis: Any, span: Any, tile: Any, k: Any, g: Any) -> None:
    """Do `_resize_and_update`, and add e^(score - reference) to the total."""
    source, best, label, total, reference = tile.wide, tile.best, tile.label, tile.total, tile.reference
    for y in range(span.rows):
        a, b = axis.places[ZERO, span.top + y] - skipped, axis.places[ONE, span.top + y] - skipped
        weight_a, weight_b = axis.weights[ZERO, span.top + y], axis.weights[ONE, span.top + y]
        for i in range(span.columns):
            value = _mix(source[a, i], source[b, i], weight_a, weight_b)
            is_higher = value > best[g, y, i]
            best[g, y, i] = value if is_higher else best[g, y, i]
            label[g, y, i] = k if is_higher else label[g, y, i]
            total[y, i] += _exp(value - reference[y, i])


@compile_part
def _find_ends(low: Any, top: Any, bottom: Any, ends: Any) -> None:
    """Compute the lowest and the highest score (2, K, w) of each column over some rows."""
    width = np.uintp(low.shape[2])
    for k in range(np.uintp(low.shape[0])):
        for x in range(width):
            ends[ZERO, k, x] = ends[ONE, k, x] = low[k, top, x]
        for y in range(top + ONE, bottom):
            for x in range(width):
                value, low_end, high_end = low[k, y, x], ends[ZERO, k, x], ends[ONE, k, x]
                ends[ZERO, k, x] = value if value < low_end else low_end
                ends[ONE, k, x] = value if value > high_end else high_end


@compile_part
def _find_uses(ends: Any, group: Any, left: Any, right: Any, reach: Any, slack: Any, use: Any) -> Any:
    """Decide what each class is needed for in a tile, from its lowest and its highest score around the tile.

    Returns:
        Bounds of the highest score of every pixel of the tile.
    """
    floor, highest = np.full(2, np.float32(-np.inf)), np.full(len(group), np.float32(-np.inf))
    for k in range(len(group)):
        if group[k] < 0:
            continue
        low_end, high_end = ends[0, k, left], ends[1, k, left]
        for x in range(left + ONE, right):
            low_end, high_end = min(low_end, ends[0, k, x]), max(high_end, ends[1, k, x])
        highest[k] = high_end
        floor[group[k]] = max(floor[group[k]], low_end)
    top = max(floor[0], floor[1])
    for k in range(len(group)):
        if group[k] < 0:
            use[k] = UNUSED
        elif highest[k] >= floor[group[k]] - slack:
            use[k] = CANDIDATE
        else:
            use[k] = SUMMAND if highest[k] > top - reach else UNUSED
    return top, highest.max()


@compile_part
def _fill_wide(source: Any, k: Any, top: Any, rows: Any, span: Any, tile: Any) -> None:
    """Compute rows of the image, resized to the columns of the tile, in `tile.wide`."""
    low, first, last = source.low, source.first, source.last
    wide_span = _Span(top, rows, span.left, span.columns)
    if not source.is_twice:
        _resize_columns(low, k, top, last.columns, wide_span, ZERO, tile.wide)
        return
    left, right = last.columns.places[ZERO, span.left], last.columns.places[ONE, span.left + span.columns - ONE] + ONE
    low_top, low_bottom = first.rows.places[ZERO, top], first.rows.places[ONE, top + rows - ONE] + ONE
    low_span = _Span(low_top, low_bottom - low_top, left, right - left)
    _resize_columns(low, k, low_top, first.columns, low_span, ZERO, tile.low_rows)
    _resize_rows(tile.low_rows, low_top, first.rows, _Span(top, rows, left, right - left), ZERO, tile.image)
    _resize_columns(tile.image, ZERO, ZERO, last.columns, wide_span, left, tile.wide)


@compile_part
def _visit_classes(source: Any, use: Any, is_summed: Any, span: Any, tile: Any) -> None:
    """Update the best classes of a tile with every class, and add all that matter to the totals if wanted."""
    axis = source.last.rows
    top = axis.places[ZERO, span.top]
    rows = axis.places[ONE, span.top + span.rows - ONE] + ONE - top
    for k in range(np.uintp(len(use))):
        g = np.uintp(source.group[k])
        if use[k] == CANDIDATE or (is_summed and use[k] == SUMMAND):
            _fill_wide(source, k, top, rows, span, tile)
            if is_summed:
                _resize_update_and_sum(top, axis, span, tile, np.int32(k), g)
            else:
                _resize_and_update(top, axis, span, tile, np.int32(k), g)


@compile_part
def _fill_tile(source: Any, use: Any, ends: Any, has_total: Any, span: Any, tile: Any) -> None:
    """Find the best classes of a tile and, if wanted, the sums of its softmax.

    Terms are e^(score - reference). The lowest that the best scores can be is a reference known before them; if they
    differ too much for float32, they are found first.
    """
    best, total, reference = tile.best, tile.total, tile.reference
    best[:] = -np.inf
    if not has_total:
        _visit_classes(source, use, False, span, tile)
        return
    total[:], reference[:] = 0, ends[0]
    if ends[1] - ends[0] > WIDEST:
        _visit_classes(source, use, False, span, tile)
        for y in range(span.rows):
            for i in range(span.columns):
                reference[y, i] = max(best[ZERO, y, i], best[ONE, y, i])
    _visit_classes(source, use, True, span, tile)
    for y in range(span.rows):
        for i in range(span.columns):
            total[y, i] /= _exp(max(best[ZERO, y, i], best[ONE, y, i]) - reference[y, i])


@compile_part
def _make_tile(low: Any, first: Any) -> Any:
    height, width = first.rows.places.shape[1], first.columns.places.shape[1]
    low_rows, image = np.empty((low.shape[1], width), np.float32), np.empty((1, height, width), np.float32)
    wide, sums = np.empty((height, COLUMNS), np.float32), np.empty((2, ROWS, COLUMNS), np.float32)
    best, label = np.empty((2, ROWS, COLUMNS), np.float32), np.empty((2, ROWS, COLUMNS), np.int32)
    return _Tile(low_rows, image, wide, best, label, sums[0], sums[1])


@compile_function
def _scan(source: Any, reach: Any, slack: Any, best: Any, label: Any, total: Any) -> None:
    low, first, last, has_total = source.low, source.first, source.last, len(total) > 0
    height, width = np.uintp(best.shape[1]), np.uintp(best.shape[2])
    use, ends = np.empty(low.shape[0], np.int8), np.empty((2, low.shape[0], low.shape[2]), np.float32)
    tile = _make_tile(low, first)
    for top in range(ZERO, height, ROWS):
        bottom = min(top + ROWS, height)
        low_top = first.rows.places[ZERO, last.rows.places[ZERO, top]]
        low_bottom = first.rows.places[ONE, last.rows.places[ONE, bottom - ONE]] + ONE
        _find_ends(low, low_top, low_bottom, ends)
        for left in range(ZERO, width, COLUMNS):
            right = min(left + COLUMNS, width)
            low_left = first.columns.places[ZERO, last.columns.places[ZERO, left]]
            low_right = first.columns.places[ONE, last.columns.places[ONE, right - ONE]] + ONE
            bounds = _find_uses(ends, source.group, low_left, low_right, reach, slack, use)
            span = _Span(top, bottom - top, left, right - left)
            _fill_tile(source, use, bounds, has_total, span, tile)
            for y in range(span.rows):
                for i in range(span.columns):
                    for g in range(np.uintp(best.shape[0])):
                        best[g, top + y, left + i] = tile.best[g, y, i]
                        label[g, top + y, left + i] = tile.label[g, y, i]
                    if has_total:
                        total[top + y, left + i] = tile.total[y, i]

"""Compiled loop that reads the scores of single pixels from score maps in low resolution, see `tile_kernels`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.core.bilinear import Resizing
from benchmark.core.compiled import compile_function, compile_part, fused_multiply_add

Floats = NDArray[np.float32]


def read_pixels(
    low: Floats, rows: NDArray[np.intp], columns: NDArray[np.intp], *, first: Resizing, last: Resizing
) -> Floats:
    """Return the scores (K, P) of P pixels, from (K, h, w) scores that are resized once or twice."""
    out = np.empty((len(low), len(rows)), np.float32)
    _read(low, first, last, rows, columns, out)
    return out


@compile_part
def _mix(a: Any, b: Any, weight_a: Any, weight_b: Any) -> Any:
    """Mix two scores as `tile_kernels` does; a compiled function is kept with what it calls in its own file."""
    return fused_multiply_add(a, weight_a, b * weight_b)


@compile_part
def _read_pixel(maps: Any, k: Any, resizing: Any, y: Any, x: Any) -> Any:
    """Return one pixel of a resized map."""
    rows, columns = resizing.rows, resizing.columns
    y0, y1, x0, x1 = rows.places[0, y], rows.places[1, y], columns.places[0, x], columns.places[1, x]
    a = _mix(maps[k, y0, x0], maps[k, y0, x1], columns.weights[0, x], columns.weights[1, x])
    b = _mix(maps[k, y1, x0], maps[k, y1, x1], columns.weights[0, x], columns.weights[1, x])
    return _mix(a, b, rows.weights[0, y], rows.weights[1, y])


@compile_function
def _read(low: Any, first: Any, last: Any, rows: Any, columns: Any, out: Any) -> None:
    corners = np.empty((2, 2), np.float32)
    across, down = last.columns, last.rows
    for p in range(len(rows)):
        y, x = rows[p], columns[p]
        for k in range(low.shape[0]):
            for v in range(2):
                for u in range(2):
                    corners[v, u] = _read_pixel(low, k, first, down.places[v, y], across.places[u, x])
            a = _mix(corners[0, 0], corners[0, 1], across.weights[0, x], across.weights[1, x])
            b = _mix(corners[1, 0], corners[1, 1], across.weights[0, x], across.weights[1, x])
            out[k, p] = _mix(a, b, down.weights[0, y], down.weights[1, y])

"""Figure of training losses by iteration: a panel per loss, a line per row."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import NDArray

from benchmark.evaluation.scores import Floats
from benchmark.report.figures.captions import add_title
from benchmark.report.figures.short_labels import shorten_labels
from benchmark.report.figures.style import (
    FORMATS,
    GRAY,
    PAGE_IN,
    choose_colors,
    choose_lines,
    draw_grid,
    draw_legend_below,
    list_paths,
    open_figure,
)
from benchmark.report.result_row import ResultRow
from benchmark.store.store import Store

PANELS_ACROSS = 3
"""Panels side by side."""
TOTAL = "total"
WIDE = 30.0
"""Ratio of the largest to the smallest value of a loss from which on its axis is logarithmic."""
LEAST_POINTS = 12
"""Points that a line keeps if there are very many lines."""
SMOOTHED_FRACTION = 0.05
"""Fraction of the training over which lines are running means."""

History = list[dict[str, Any]]


def draw_curves(
    rows: Sequence[ResultRow],
    store: Store,
    out: Path,
    *,
    title: str = "",
    formats: Sequence[str] = FORMATS,
    max_points: int = 0,
    max_panels: int = 0,
) -> list[Path]:
    """Draw the losses of every row that has any: mean over its runs, smoothed, and the range of its seeds as a band.

    Args:
        rows: Rows.
        store: Store that holds the losses of the runs.
        out: Folder of the files.
        title: Name of the split if there are figures of several.
        formats: Any of "png", "pdf", "svg".
        max_points: Largest number of points of all lines together, which are thinned after they are smoothed; 0 for
            all.
        max_panels: Largest number of losses, those that most rows have; 0 for all.
    """
    lines = _read_lines(rows, store)
    names = choose_losses(list(lines.values()), max_panels)
    if not names:
        return []
    smoothed = {index: _smooth_all(losses, names) for index, losses in lines.items()}
    looks = _choose_looks(rows)
    across = min(len(names), 4 if len(names) in (4, 7, 8) or len(names) > 9 else PANELS_ACROSS)
    down = math.ceil(len(names) / across)
    handles: dict[int, Line2D] = {}
    points = max(LEAST_POINTS, max_points // sum(map(len, smoothed.values()))) if max_points else 0
    with open_figure(out, "losses", size=(PAGE_IN, 0.5 + 1.7 * down), formats=formats) as figure:
        add_title(figure, rows, name=title)
        panels = figure.subplots(down, across, squeeze=False).ravel()
        for name, axes in zip(names, panels, strict=False):
            drawn = {index: losses[name] for index, losses in smoothed.items() if name in losses}
            for index, values in drawn.items():
                handles[index] = _draw_line(axes, lines[index][name][0], values, look=looks[index], points=points)
            axes.set_title(*shorten_labels([name], width=96 // across), fontsize=7 if across > PANELS_ACROSS else 8)
            _scale(axes, list(drawn.values()))
            axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 2.5, 5, 10]))
            draw_grid(axes)
        for axes in panels[len(names) :]:
            axes.axis("off")
        for axes in panels[max(0, len(names) - across) : len(names)]:
            axes.set_xlabel("iteration")
        band = _list_band_key(lines[index] for index in handles)
        draw_legend_below(figure, [*(handles[index] for index in sorted(handles)), *band])
    return list_paths(out, "losses", formats)


def _choose_looks(rows: Sequence[ResultRow]) -> list[dict[str, Any]]:
    """Return the color, the line and the label of every row."""
    labels = shorten_labels([row.label for row in rows])
    return [
        {"color": color, "linestyle": line, "label": label}
        for color, line, label in zip(choose_colors(len(rows)), choose_lines(len(rows)), labels, strict=True)
    ]


def _read_lines(rows: Sequence[ResultRow], store: Store) -> dict[int, dict[str, tuple[Floats, Floats]]]:
    """Return the losses of the rows that have any, by index of the row and name; see `group_losses`."""
    histories = [[store.run(run.run_id).read_losses() for run in row.runs] for row in rows]
    known = {index: [history for history in runs if history] for index, runs in enumerate(histories)}
    return {index: group_losses(runs) for index, runs in known.items() if runs}


def group_losses(histories: Sequence[History]) -> dict[str, tuple[Floats, Floats]]:
    """Group the losses of the runs of one row by name.

    Args:
        histories: Losses as `RunFolder.read_losses` returns them, one list per run.

    Returns:
        By name, and as the total if there are several: iterations (T,) that all runs report, and values (runs, T), nan
        if a loss was not finite.
    """
    shared = set.intersection(*({int(entry["iteration"]) for entry in history} for history in histories))
    iterations = sorted(shared)
    tables = [{int(entry["iteration"]): _read_numbers(entry["losses"]) for entry in history} for history in histories]
    names = list(dict.fromkeys(name for table in tables for iteration in iterations for name in table[iteration]))
    losses = {name: [[table[step].get(name, math.nan) for step in iterations] for table in tables] for name in names}
    if len(names) > 1:
        losses = {TOTAL: [[sum(table[step].values()) for step in iterations] for table in tables], **losses}
    steps = np.array(iterations, dtype=float)
    return {name: (steps, np.array(values)) for name, values in losses.items() if iterations}


def smooth(values: Floats) -> Floats:
    """Return the centered running mean over `SMOOTHED_FRACTION` of the last axis; shorter at both ends.

    Args:
        values: (…, T) losses.

    Returns:
        (…, T).
    """
    half = max(0, round(SMOOTHED_FRACTION * values.shape[-1] / 2))
    spans = [slice(max(0, index - half), index + half + 1) for index in range(values.shape[-1])]
    return np.stack([values[..., span].mean(axis=-1) for span in spans], axis=-1)


def _smooth_all(losses: Mapping[str, tuple[Floats, Floats]], names: Sequence[str]) -> dict[str, Floats]:
    """Return the smoothed losses (runs, T) of a row that have one of these names."""
    return {name: smooth(values) for name, (_, values) in losses.items() if name in names}


def _draw_line(axes: Axes, iterations: Floats, values: Floats, *, look: Mapping[str, Any], points: int) -> Line2D:
    """Draw the mean over the runs of a row and the range of its seeds, and return the line for the legend.

    Args:
        axes: Axes.
        iterations: (T,) iterations.
        values: (runs, T) smoothed losses.
        look: Color, line and label of the row.
        points: Largest number of points; 0 for all.
    """
    kept = choose_points(len(iterations), points)
    iterations, lines = iterations[kept], values[:, kept]  # (runs, T)
    (line,) = axes.plot(iterations, lines.mean(axis=0), linewidth=1, **look)
    if len(values) > 1:
        ends = lines.min(axis=0), lines.max(axis=0)
        axes.fill_between(iterations, *ends, color=look["color"], alpha=0.15, linewidth=0)
    return line


def _scale(axes: Axes, values: Sequence[Floats]) -> None:
    """Make the axis of a loss logarithmic if it falls, or differs between rows, by more than `WIDE`."""
    joined = np.concatenate([some.ravel() for some in values])
    known = joined[np.isfinite(joined)]
    if len(known) and known.min() > 0 and known.max() / known.min() > WIDE:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _position: f"{value:g}")
        axes.yaxis.set_minor_locator(NullLocator())


def choose_losses(losses_by_row: Sequence[Mapping[str, Any]], most: int) -> list[str]:
    """Return the names of the losses that most rows have, the total among them, in the order of the rows.

    Args:
        losses_by_row: Losses of every row by name.
        most: Largest number of names; 0 for all.
    """
    rows = Counter(name for losses in losses_by_row for name in losses)
    names = list(rows)
    kept = sorted(names, key=lambda name: (name != TOTAL, -rows[name]))[: most or None]
    return [name for name in names if name in kept]


def choose_points(number: int, most: int) -> NDArray[np.int64]:
    """Return the indices of evenly spaced points of a line, the first and the last included; all if `most` is 0."""
    if not most or number <= most:
        return np.arange(number)
    return np.round(np.linspace(0, number - 1, most)).astype(np.int64)


def _list_band_key(lines: Iterable[Mapping[str, tuple[Floats, Floats]]]) -> list[Patch]:
    """Return the legend entry of the bands; none if every row has one run."""
    has_band = any(len(values) > 1 for losses in lines for _, values in losses.values())
    return [Patch(color=GRAY, alpha=0.15, linewidth=0, label="range of the runs")] if has_band else []


def _read_numbers(losses: Mapping[str, float | None]) -> dict[str, float]:
    return {name: math.nan if value is None else float(value) for name, value in losses.items()}

"""Training losses by iteration: one panel a loss, one line a row."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from benchmark.evaluation.scores import Floats
from benchmark.report.figures.style import FORMATS, PAGE_IN, colours, drawing, grid, paths, shortened
from benchmark.report.rows import Row
from benchmark.store.store import Store

ACROSS = 3
"""Panels side by side."""
TOTAL = "total"
SMOOTHED = 0.05
"""Lines are running means over this fraction of the training."""

History = list[dict[str, Any]]


def draw_curves(rows: Sequence[Row], store: Store, out: Path, *, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Draw the losses of every row that has any: mean over its runs, smoothed, the seeds' range as a pale band."""
    histories = {row.label: [one for cell in row.cells if (one := store.run(cell.run_id).read_losses())] for row in rows}
    lines = {label: losses_by_name(given) for label, given in histories.items() if given}
    names = list(dict.fromkeys(name for found in lines.values() for name in found))
    if not names:
        return []
    colour_of = dict(zip((row.label for row in rows), colours(len(rows)), strict=True))
    across = min(len(names), 4 if len(names) == 4 else ACROSS)
    down = math.ceil(len(names) / across)
    with drawing(out, "losses", size=(PAGE_IN, 0.5 + 1.7 * down), formats=formats) as figure:
        panels = figure.subplots(down, across, squeeze=False).ravel()
        for name, axes in zip(names, panels, strict=False):
            for label, found in lines.items():
                if name in found:
                    _line(axes, *found[name], colour=colour_of[label], label=shortened(label))
            axes.set_title(name)
            grid(axes)
        for axes in panels[len(names) :]:
            axes.axis("off")
        for axes in panels[max(0, len(names) - across) : len(names)]:
            axes.set_xlabel("iteration")
        handles = {
            label: line for axes in panels for line, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=min(4, len(handles)))
    return paths(out, "losses", formats)


def losses_by_name(histories: Sequence[History]) -> dict[str, tuple[Floats, Floats]]:
    """The losses of the runs of one row.

    Args:
        histories: what `Store.history` gives, one a run.

    Returns:
        By name, and as the total of all, the iterations (T,) that all runs report and the values (runs, T); nan where
        a loss was not finite.
    """
    shared = set.intersection(*({int(entry["iteration"]) for entry in history} for history in histories))
    iterations = sorted(shared)
    tables = [{int(entry["iteration"]): _numbers(entry["losses"]) for entry in history} for history in histories]
    names = list(dict.fromkeys(name for table in tables for at in iterations for name in table[at]))
    found = {name: [[table[at].get(name, math.nan) for at in iterations] for table in tables] for name in names}
    if len(names) > 1:
        found = {TOTAL: [[sum(table[at].values()) for at in iterations] for table in tables], **found}
    return {name: (np.array(iterations, dtype=float), np.array(values)) for name, values in found.items() if iterations}


def smoothed(values: Floats) -> Floats:
    """Running mean over the last axis, centred, over `SMOOTHED` of its length; shorter at both ends."""
    half = max(0, round(SMOOTHED * values.shape[-1] / 2))
    spans = [slice(max(0, at - half), at + half + 1) for at in range(values.shape[-1])]
    return np.stack([values[..., span].mean(axis=-1) for span in spans], axis=-1)


def _line(axes: Axes, iterations: Floats, values: Floats, *, colour: tuple[float, float, float], label: str) -> None:
    smooth = smoothed(values)
    axes.plot(iterations, smooth.mean(axis=0), color=colour, linewidth=1, label=label)
    if len(values) > 1:
        axes.fill_between(iterations, smooth.min(axis=0), smooth.max(axis=0), color=colour, alpha=0.15, linewidth=0)


def _numbers(losses: Mapping[str, float | None]) -> dict[str, float]:
    return {name: math.nan if value is None else float(value) for name, value in losses.items()}

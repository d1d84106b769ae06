"""Figure of hIoU against a number of the settings, such as the depth of a head or the length of training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from benchmark.core.run_spec import RunSpec
from benchmark.evaluation.stats import Interval
from benchmark.report.figures.captions import add_title, mark_splits
from benchmark.report.figures.caution_marks import number_cautions
from benchmark.report.figures.glyphs import show_text
from benchmark.report.figures.row_looks import has_hiou
from benchmark.report.figures.short_labels import shorten_labels
from benchmark.report.figures.style import (
    COLUMN_IN,
    FORMATS,
    GRAY,
    INTERVAL_LINES,
    PAGE_IN,
    choose_colors,
    choose_lines,
    choose_markers,
    draw_grid,
    draw_legend_below,
    list_paths,
    make_interval_handles,
    open_figure,
)
from benchmark.report.pooled_rows import PooledRow
from benchmark.report.result_row import Estimate, ResultRow
from benchmark.utils.frozen_model import format_canonical_json

SETTING_WORDS = {
    "head.blocks": "frozen CLIP blocks in the head",
    "budget.iterations": "training iterations",
    "budget.batch_size": "images per training step",
    "budget.learning_rate": "learning rate",
    "budget.weight_decay": "weight decay",
    "logit_scale": "scale of the logits",
}
"""Words for settings; others are shown by their key."""
PANELS_ACROSS = 3
WIDE = 8.0
"""Ratio of the largest to the smallest value from which on the axis is logarithmic."""
NARROWEST = 0.09
"""Least distance of values that have ticks, as a share of the axis."""


@dataclass(frozen=True)
class SettingCurve:
    """Rows on the same splits that differ in one number alone.

    Attributes:
        key: Dotted key of the number.
        label: What the rows share of their labels, or the title of their method; with the number of splits if the rows
            lack some.
        points: Value and estimate of hIoU of every row, the smallest value first.
    """

    key: str
    label: str
    points: tuple[tuple[float, Estimate], ...]

    @property
    def intervals(self) -> list[Interval | None]:
        """Interval of every row."""
        return [estimate.interval for _, estimate in self.points]

    @property
    def values(self) -> list[float]:
        """Values of the number."""
        return [value for value, _ in self.points]


def draw_settings(
    rows: Sequence[ResultRow], out: Path, *, title: str = "", formats: Sequence[str] = FORMATS
) -> list[Path]:
    """Draw hIoU over every number in which rows differ, with a line through rows that differ in this number alone.

    Args:
        rows: Rows.
        out: Folder of the files.
        title: Name of the split if there are figures of several.
        formats: Any of "png", "pdf", "svg".

    Returns:
        The files; none if no two rows differ in one number alone.
    """
    curves = collect_setting_curves(rows)
    if not curves:
        return []
    keys = list(dict.fromkeys(curve.key for curve in curves))
    labels = list(dict.fromkeys(curve.label for curve in curves))
    own = [[one for curve in curves if curve.label == label for one in curve.intervals] for label in labels]
    marks = number_cautions(own)
    marked = [marks.mark(label, some) for label, some in zip(shorten_labels(labels), own, strict=True)]
    looks = dict(zip(labels, _choose_looks(marked), strict=True))
    across = min(len(keys), PANELS_ACROSS)
    down = math.ceil(len(keys) / across)
    size = (COLUMN_IN if across == 1 else PAGE_IN, 0.4 + down * COLUMN_IN * 0.68)
    with open_figure(out, "settings", size=size, formats=formats) as figure:
        add_title(figure, rows, name=title)
        panels = figure.subplots(down, across, squeeze=False, sharey=True).ravel()
        for key, axes in zip(keys, panels, strict=False):
            panel = [curve for curve in curves if curve.key == key]
            for curve in panel:
                _draw_curve(axes, curve, looks[curve.label])
            axes.set_xlabel(show_text(SETTING_WORDS.get(key, key)))
            _scale(axes, sorted({value for curve in panel for value in curve.values}))
            draw_grid(axes)
        for axes in panels[len(keys) :]:
            axes.axis("off")
        for axes in panels[::across]:
            axes.set_ylabel("hIoU (%)")
        handles = [Line2D([], [], **look) for look in looks.values()]
        intervals = [interval for curve in curves for interval in curve.intervals]
        handles += make_interval_handles(intervals, color=GRAY, linewidth=0.8) + marks.make_handles()
        draw_legend_below(figure, handles, columns=2 if across == 1 else 4)
    return list_paths(out, "settings", formats)


def collect_setting_curves(rows: Sequence[ResultRow]) -> list[SettingCurve]:
    """Return a curve per number and rows that differ in it alone, in the order of the rows.

    Rows have a defined hIoU, and those of a curve have it on the same splits: means over others are not comparable.
    """
    known = [(row, _flatten_spec(row.records[0].spec)) for row in rows if has_hiou(row)]
    numbers: dict[str, set[float]] = {}
    for _, leaves in known:
        for key, value in leaves.items():
            if _is_number(value):
                numbers.setdefault(key, set()).add(value)
    keys = [key for key, values in numbers.items() if len(values) > 1]
    curves: list[SettingCurve] = []
    for key in keys:
        alike: dict[str, list[tuple[ResultRow, float]]] = {}
        for row, leaves in known:
            if _is_number(leaves.get(key)):
                others = {name: value for name, value in leaves.items() if name != key}
                rest = format_canonical_json(others | {"splits": _list_splits(row)})
                alike.setdefault(rest, []).append((row, float(leaves[key])))
        curves += _make_curves(key, [some for some in alike.values() if len({value for _, value in some}) > 1])
    return curves


def _make_curves(key: str, groups: Sequence[Sequence[tuple[ResultRow, float]]]) -> list[SettingCurve]:
    """Return the curves of one number; those that would share a label are named by their first rows."""
    rows = [[row for row, _ in members] for members in groups]
    shared = [find_shared_label([row.label for row in some]) or some[0].title or some[0].method for some in rows]
    marked = [mark_splits(some[0], label) for label, some in zip(shared, rows, strict=True)]
    firsts = [mark_splits(some[0], some[0].label) for some in rows]
    labels = [first if marked.count(label) > 1 else label for label, first in zip(marked, firsts, strict=True)]
    points = [{value: row.estimates["hiou"] for row, value in reversed(members)} for members in groups]
    return [SettingCurve(key, label, tuple(sorted(some.items()))) for label, some in zip(labels, points, strict=True)]


def _list_splits(row: ResultRow) -> list[str]:
    """Return the splits that the hIoU of a row is the mean over."""
    return sorted(row.list_defined("hiou") if isinstance(row, PooledRow) else row.sides)


def find_shared_label(labels: Sequence[str]) -> str:
    """Return the words that labels begin with, without the number in which they differ; empty if there are none."""
    columns = zip(*labels, strict=False)
    prefix = "".join(some[0] for some in takewhile(lambda some: len(set(some)) == 1, columns)).partition(" [")[0]
    if any(label[len(prefix) :][:1].isalnum() or label[len(prefix) :][:1] == "=" for label in labels):
        prefix = prefix.rpartition(" ")[0]
    return prefix.rstrip(" ,;:=([-")


def _flatten_spec(spec: RunSpec) -> dict[str, Any]:
    """Return what identifies the runs of a row by dotted key, apart from split, seed and the words for it."""
    parts = {"": spec.config, "budget": spec.budget.model_dump(), "protocol": spec.protocol.model_dump()}
    leaves = {key: value for name, part in parts.items() for key, value in _flatten(name, part)}
    weights = "" if spec.weights is None else spec.weights.sha256
    return leaves | {"method": spec.method, "source": spec.source_digest, "engine": spec.engine, "weights": weights}


def _flatten(prefix: str, value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        return [(prefix, value)]
    return [leaf for name, item in value.items() for leaf in _flatten(f"{prefix}.{name}".strip("."), item)]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _choose_looks(labels: Sequence[str]) -> list[dict[str, Any]]:
    """Return the looks of curves by their labels."""
    count = len(labels)
    looks = zip(labels, choose_colors(count), choose_markers(count), choose_lines(count), strict=True)
    return [
        {"label": label, "color": color, "marker": marker, "linestyle": line, "linewidth": 1, "markersize": 4.5}
        for label, color, marker, line in looks
    ]


def _draw_curve(axes: Axes, curve: SettingCurve, look: Mapping[str, Any]) -> None:
    for value, (_, interval) in curve.points:
        if interval is not None:
            line: dict[str, Any] = {"linestyle": INTERVAL_LINES[interval.kind], "linewidth": 0.8, "alpha": 0.7}
            axes.vlines(value, interval.low, interval.high, color=look["color"], **line)
    axes.plot(curve.values, [estimate.mean for _, estimate in curve.points], **look)


def _scale(axes: Axes, values: Sequence[float]) -> None:
    """Choose a scale on which the values can be told apart, with ticks at them if there is space."""
    is_wide = values[0] > 0 and values[-1] / values[0] >= WIDE
    places = [math.log(value) if is_wide else value for value in values]
    axes.set_xscale("log" if is_wide else "linear")
    axes.margins(x=0.12)
    gaps = [after - before for before, after in pairwise(places)]
    if min(gaps) >= NARROWEST * (places[-1] - places[0]):
        axes.xaxis.set_major_locator(FixedLocator(list(values)))
        axes.xaxis.set_major_formatter(lambda value, _position: f"{value:g}")
        axes.xaxis.set_minor_locator(NullLocator())
    elif not is_wide:
        axes.xaxis.set_major_locator(MaxNLocator(5))

"""Figure of hIoU against cost: operations, parameters and training time, with the rows that no other row dominates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from benchmark.core.run_record import Cost
from benchmark.evaluation.stats import Interval
from benchmark.report.figures.captions import add_title
from benchmark.report.figures.caution_marks import list_intervals, number_cautions
from benchmark.report.figures.row_looks import RowLook, choose_looks
from benchmark.report.figures.style import (
    COLUMN_IN,
    DASHES,
    FORMATS,
    GRAY,
    INTERVAL_LINES,
    PAGE_IN,
    draw_grid,
    draw_legend_below,
    list_paths,
    make_interval_handles,
    open_figure,
)
from benchmark.report.result_row import ResultRow

WIDE = 20.0
"""Ratio of the largest to the smallest cost from which on the axis is logarithmic."""
INSTANT_S = 1.0
"""Training time below which nothing was trained."""


@dataclass(frozen=True, eq=False)
class CostPoint:
    """One row in one panel."""

    look: RowLook
    cost: float
    hiou: float
    interval: Interval | None


@dataclass(frozen=True, eq=False)
class CostPanel:
    """One kind of cost.

    Attributes:
        name: Name with its unit.
        points: Rows whose cost is known.
    """

    name: str
    points: tuple[CostPoint, ...]

    @property
    def front(self) -> tuple[CostPoint, ...]:
        """Rows than which no row is both cheaper, or as cheap, and better; the cheapest first."""
        ordered = sorted(self.points, key=lambda point: (point.cost, -point.hiou))
        return tuple(
            point for index, point in enumerate(ordered) if all(point.hiou > other.hiou for other in ordered[:index])
        )


def _read_training_minutes(cost: Cost) -> float:
    return cost.train_seconds / 60 if cost.train_seconds >= INSTANT_S else 0.0


KINDS: dict[str, Callable[[Cost], float | None]] = {
    "inference (GFLOPs per image)": lambda cost: None if cost.inference_flops is None else cost.inference_flops / 1e9,
    "trained parameters (M)": lambda cost: cost.trainable_parameters / 1e6,
    "all parameters (M)": lambda cost: None if cost.total_parameters is None else cost.total_parameters / 1e6,
    "training (min)": _read_training_minutes,
}
"""Kinds of cost: name with its unit, and function from a cost to the value, None if it was not measured."""


def draw_cost(rows: Sequence[ResultRow], out: Path, *, title: str = "", formats: Sequence[str] = FORMATS) -> list[Path]:
    """Draw hIoU against every kind of cost that differs between rows; dashed steps lead over the rows of the front.

    Args:
        rows: Rows.
        out: Folder of the files.
        title: Name of the split if there are figures of several.
        formats: Any of "png", "pdf", "svg".

    Returns:
        The files; none if no kind of cost is known of two rows and differs.
    """
    panels = collect_panels(rows)
    if not panels:
        return []
    width = COLUMN_IN if len(panels) == 1 else PAGE_IN
    with open_figure(out, "cost", size=(width, COLUMN_IN * 0.8), formats=formats) as figure:
        add_title(figure, rows, name=title)
        all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, panel in zip(all_axes, panels, strict=True):
            _draw_panel(axes, panel)
        all_axes[0].set_ylabel("hIoU (%)")
        draw_legend_below(figure, _list_legend(panels))
    return list_paths(out, "cost", formats)


def collect_panels(rows: Sequence[ResultRow]) -> list[CostPanel]:
    """Return the kinds of cost that are known of at least two rows with a defined hIoU, and that differ."""
    looks = choose_looks(rows)
    panels = []
    for name, read in KINDS.items():
        known = [(look, read(look.row.cost)) for look in looks if look.row.cost is not None]
        points = tuple(CostPoint(look, cost, *look.row.estimates["hiou"]) for look, cost in known if cost is not None)
        if len({point.cost for point in points}) > 1:
            panels.append(CostPanel(name, points))
    return panels


def _draw_panel(axes: Axes, panel: CostPanel) -> None:
    for point in panel.points:
        look, interval = point.look, point.interval
        if interval is not None:
            line: dict[str, Any] = {"linestyle": INTERVAL_LINES[interval.kind], "linewidth": 0.8, "alpha": 0.7}
            axes.vlines(point.cost, interval.low, interval.high, color=look.color, **line)
        looks: dict[str, Any] = {"s": 28, "edgecolors": "white", "linewidths": 0.5, "zorder": 3}
        axes.scatter(point.cost, point.hiou, color=[look.color], marker=look.marker, **looks)
    front = panel.front
    axes.plot([point.cost for point in front], [point.hiou for point in front], **_FRONT)
    axes.set_xlabel(panel.name)
    _scale(axes, [point.cost for point in panel.points])
    draw_grid(axes)


_FRONT: dict[str, Any] = {
    "color": GRAY,
    "linewidth": 0.6,
    "linestyle": DASHES,
    "zorder": 1.5,
    "drawstyle": "steps-post",
}


def _scale(axes: Axes, costs: Sequence[float]) -> None:
    """Choose a scale on which the costs can be told apart; 0 stays on it."""
    smallest, largest = min(filter(None, costs)), max(costs)
    if largest / smallest < WIDE:
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.margins(x=0.12)
    elif 0 in costs:
        axes.set_xscale("symlog", linthresh=smallest, linscale=0.4)
        axes.set_xlim(-0.3 * smallest, 2 * largest)
    else:
        axes.set_xscale("log")
        axes.set_xlim(smallest / 2, 2 * largest)
    if largest / smallest >= WIDE:
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value:g}"))


def _list_legend(panels: Sequence[CostPanel]) -> list[Line2D]:
    looks = {id(point.look.row): point.look for panel in panels for point in panel.points}
    key: dict[str, Any] = {"markersize": 5.5, "markeredgecolor": "white", "markeredgewidth": 0.5, "linewidth": 0}
    own = [list_intervals(look.row, ["hiou"]) for look in looks.values()]
    marks = number_cautions(own)
    handles = [
        Line2D([], [], color=look.color, marker=look.marker, label=marks.mark(look.label, some), **key)
        for look, some in zip(looks.values(), own, strict=True)
    ]
    intervals = [point.interval for panel in panels for point in panel.points]
    handles += make_interval_handles(intervals, color=GRAY, linewidth=0.8) + marks.make_handles()
    label = "no row is cheaper and better"
    return [*handles, Line2D([], [], color=GRAY, linewidth=0.6, linestyle=DASHES, label=label)]

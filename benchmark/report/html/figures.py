"""Figures of a report: those of `plot`, drawn by the same code, as elements of the page."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmark.report.figures.class_dumbbells import draw_dumbbells
from benchmark.report.figures.class_heatmap import draw_classes
from benchmark.report.figures.cost_pareto import draw_cost
from benchmark.report.figures.difference_forest import draw_forest
from benchmark.report.figures.gamma_curves import draw_gamma
from benchmark.report.figures.loss_curves import draw_curves
from benchmark.report.figures.published_points import collect_published
from benchmark.report.figures.rank_ranges import describe_variation, draw_ranks
from benchmark.report.figures.seen_unseen import draw_scatter
from benchmark.report.figures.setting_curves import draw_settings
from benchmark.report.figures.shown_rows import show_first
from benchmark.report.figures.split_effects import draw_effects
from benchmark.report.figures.style import keep_text
from benchmark.report.html.inline_svg import inline_svg
from benchmark.report.study_results import GroupResults
from benchmark.store.store import Store
from benchmark.utils.forked_map import map_forked

MAX_LOSS_POINTS, MAX_LOSSES = 6_000, 12
"""Points of all losses of a group together, and losses of a group, so that the page stays small."""
FORMATS = ("svg",)
KEPT_WHITE = {"classes"}
"""Figures with texts on colors of their own, which stay black on white in the dark theme."""


@dataclass(frozen=True)
class ReportFigure:
    """A figure of the page.

    Attributes:
        name: Name of the figure, such as "differences".
        group: Name of the group; empty if there is only one.
        svg: Element.
        caption: What the figure shows, one or two sentences.
        is_themed: Whether the figure has the colors of the theme.
    """

    name: str
    group: str
    svg: str
    caption: str
    is_themed: bool


class _Drawing(NamedTuple):
    """A function that draws a figure of a group into a folder, and what it shows."""

    draw: Callable[[GroupResults, Store, Path], Sequence[Path]]
    caption: str | Callable[[GroupResults], str]


_DRAWINGS = {
    "differences": _Drawing(
        lambda group, _store, out: draw_forest(group, out, formats=FORMATS),
        "Difference of hIoU of every row from the baseline, with the interval of the table. Numbers on the right are "
        "the difference and the ends of its interval.",
    ),
    "seen-unseen": _Drawing(
        lambda group, _store, out: draw_scatter(
            group.rows, out, published=collect_published(group.rows, group.setting), formats=FORMATS
        ),
        "mIoU of seen against unseen classes, a point per row with its intervals, over lines of equal hIoU; published "
        "numbers of the same split are hollow and gray.",
    ),
    "gamma": _Drawing(
        lambda group, _store, out: draw_gamma(group.rows, out, formats=FORMATS),
        "What an offset gamma of the seen classes would give. It is swept over the test images and no way to choose "
        "gamma: that would be tuning on unseen classes.",
    ),
    "effect-by-split": _Drawing(
        lambda group, _store, out: draw_effects(group, out, formats=FORMATS),
        "Difference of hIoU from the baseline on every split, with the interval of this split alone; the band is the "
        "mean over the splits with its interval.",
    ),
    "classes": _Drawing(
        lambda group, _store, out: draw_classes(group.rows, out, formats=FORMATS),
        "IoU of every class and row in percent, mean over the runs; unseen classes have a star.",
    ),
    "class-differences": _Drawing(
        lambda group, _store, out: draw_dumbbells(group, out, formats=FORMATS),
        "IoU of every class of the baseline and of the best other rows, an arrow from the former to the latter.",
    ),
    "settings": _Drawing(
        lambda group, _store, out: draw_settings(group.rows, out, formats=FORMATS),
        "hIoU of rows on the same splits that differ in one number alone, over this number.",
    ),
    "ranks": _Drawing(
        lambda group, _store, out: draw_ranks(group, out, formats=FORMATS),
        lambda group: (
            f"Rank of every row, and the ranks that the variation of {describe_variation(group)} allows at 95%."
        ),
    ),
    "losses": _Drawing(
        lambda group, store, out: draw_curves(
            group.rows, store, out, formats=FORMATS, max_points=MAX_LOSS_POINTS, max_panels=MAX_LOSSES
        ),
        "Training losses by iteration: running mean over 5% of the training, mean over the runs of a row, and their "
        f"range as a band; at most {MAX_LOSSES} losses, those that most rows have.",
    ),
    "cost": _Drawing(
        lambda group, _store, out: draw_cost(group.rows, out, formats=FORMATS),
        "hIoU against the cost of training and prediction, median over the runs. Times hold for the machines of the "
        "runs, which the table of compute names.",
    ),
}
"""Figures by name, in the order of the page."""


class _Job(NamedTuple):
    """A figure of a group to draw: its name, the group and its number, and texts on it, the group's place and rows."""

    name: str
    group: GroupResults
    number: int
    caption: str
    place: str
    limit: str


def draw_figures(groups: Sequence[GroupResults], store: Store) -> tuple[ReportFigure, ...]:
    """Draw every figure for which there is data, group by group; equal runs give equal figures.

    Several processes draw. They begin with the last figures, which take longest, so that all end at about one time.
    """
    is_only = len(groups) == 1
    jobs = [job for number, group in enumerate(groups) for job in _list_jobs(group, number, is_only=is_only)]
    drawn = map_forked(partial(_draw, store=store), jobs[::-1], batch=1)
    return tuple(figure for some in reversed(drawn) for figure in some)


def _list_jobs(group: GroupResults, number: int, *, is_only: bool) -> list[_Job]:
    """Return the figures to draw of a group; none of a group without results."""
    if not any(row.done for row in group.rows):
        return []
    place = "" if is_only else group.name
    return [_make_job(name, group, number, place=place) for name in _DRAWINGS]


def _make_job(name: str, group: GroupResults, number: int, *, place: str) -> _Job:
    shown, caption = show_first(group, name), _DRAWINGS[name].caption
    text = caption if isinstance(caption, str) else caption(group)
    left_out = len(group.rows) - len(shown.rows)
    limit = f" The first {len(shown.rows)} rows; {left_out} more are in the table." if left_out else ""
    return _Job(name, shown, number, text, place, limit)


def _draw(job: _Job, *, store: Store) -> list[ReportFigure]:
    """Draw a figure; the list is empty if there is no data for it."""
    drawing, is_themed = _DRAWINGS[job.name], job.name not in KEPT_WHITE
    with tempfile.TemporaryDirectory() as folder, keep_text():
        texts = [path.read_text(encoding="utf-8") for path in drawing.draw(job.group, store, Path(folder))]
    label, prefix = f"{job.caption} {job.place}".strip(), f"f{job.number}-{job.name}-"
    elements = [inline_svg(text, prefix=prefix, label=label, is_themed=is_themed) for text in texts]
    return [ReportFigure(job.name, job.place, svg, job.caption + job.limit, is_themed) for svg in elements]
